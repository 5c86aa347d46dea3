-- What vacuum has to do, and when it last did it. $1 the schema's name
-- repeatable
SELECT s.relname::text AS name, s.n_live_tup AS live, s.n_dead_tup AS dead,
       extract(epoch FROM now() - greatest(s.last_autovacuum, s.last_vacuum))::double precision AS vacuumed_s,
       coalesce('autovacuum_enabled=false' = ANY (c.reloptions), false) AS disabled
  FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
 WHERE s.schemaname = $1::text
 ORDER BY s.n_dead_tup DESC LIMIT 1
