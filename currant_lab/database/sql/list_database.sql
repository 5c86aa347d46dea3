-- How the database stands, in one row.
-- repeatable
SELECT pg_database_size(current_database()) AS bytes,
       pg_notification_queue_usage() AS notifications,
       current_setting('max_connections')::integer AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       o.pid, o.application, o.username, o.state, o.xmin_age, o.age_s
  FROM (SELECT 1) AS one
  LEFT JOIN LATERAL (
    SELECT pid, application_name AS application, usename::text AS username, state, age(backend_xmin) AS xmin_age,
           extract(epoch FROM clock_timestamp() - xact_start)::double precision AS age_s
      FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
     ORDER BY age(backend_xmin) DESC, xact_start LIMIT 1) AS o ON true
