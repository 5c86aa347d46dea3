-- All that decides whether a connection will do, in one round trip.
-- `lacking` names the rights on Currant's tables that this user has not; null when it has them all, or when
-- there are no tables yet. `submits` says that it may at least submit. $1 the schema's name
-- repeatable
SELECT pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.pg_is_in_recovery() AS replica,
       pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
       pg_catalog.current_setting('server_encoding') AS encoding,
       pg_catalog.quote_ident($1::text) AS quoted,
       (SELECT pg_catalog.string_agg(wanted.privilege || ' on ' || c.relname, ', ' ORDER BY c.relname)
          FROM pg_catalog.pg_namespace AS n
          JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
         CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted (privilege)
         WHERE n.nspname = $1::text
           AND c.relname IN ('executions', 'history', 'pools', 'queues', 'batches', 'batch_parts', 'sources')
           AND c.relkind IN ('r', 'p')
           AND NOT pg_catalog.has_table_privilege(c.oid, wanted.privilege)) AS lacking,
       coalesce((SELECT pg_catalog.has_column_privilege(c.oid, 'args', 'INSERT')
          FROM pg_catalog.pg_namespace AS n
          JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
         WHERE n.nspname = $1::text AND c.relname = 'executions' AND c.relkind = 'r'), false) AS submits
