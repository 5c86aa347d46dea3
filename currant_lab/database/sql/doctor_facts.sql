-- How the server stands, in one row.
-- repeatable
SELECT current_setting('server_version') AS version,
       pg_notification_queue_usage() AS notifications,
       current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND datname = current_database() AND state IS NULL) AS hidden,
       current_setting('autovacuum') = 'on' AS autovacuum,
       pg_database_size(current_database()) AS database_bytes
