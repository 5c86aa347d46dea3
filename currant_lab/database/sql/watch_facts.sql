-- What a dashboard shows beside the counts, in one row: the clock, what was ever inserted, the notification queue,
-- and the oldest transaction but our own that has been open for more than a minute.
-- repeatable
SELECT extract(epoch FROM clock_timestamp())::double precision AS at,
       coalesce((SELECT n_tup_ins FROM pg_stat_user_tables
                  WHERE schemaname = 'currant' AND relname = 'executions'), 0) AS inserted,
       pg_notification_queue_usage() AS notifications,
       h.pid, h.application, h.username, h.state, h.age_s
  FROM (SELECT) AS one
  LEFT JOIN LATERAL (
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
         WHERE age_s > 60
         ORDER BY age_s DESC LIMIT 1) AS h ON true
