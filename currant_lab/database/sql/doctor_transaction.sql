-- The oldest transaction of this database but our own, prepared ones too: what it can still see, no vacuum removes.
-- repeatable
SELECT pid, application, username, state, age_s
  FROM (SELECT pid, application_name AS application, usename::text AS username, state,
               extract(epoch FROM clock_timestamp() - xact_start)::double precision AS age_s
          FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND backend_type = 'client backend' AND xact_start IS NOT NULL
        UNION ALL
        SELECT NULL, gid, owner::text, 'prepared',
               extract(epoch FROM clock_timestamp() - prepared)::double precision
          FROM pg_prepared_xacts
         WHERE database = current_database()) AS open
 ORDER BY age_s DESC LIMIT 1
