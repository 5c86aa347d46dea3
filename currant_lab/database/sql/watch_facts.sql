-- What a dashboard shows beside the counts, in one row: the clock, what was ever inserted, the notification queue,
-- and the oldest transaction but our own that has been open for more than a minute.
-- repeatable
SELECT extract(epoch FROM clock_timestamp())::double precision AS at,
       coalesce((SELECT n_tup_ins FROM pg_stat_user_tables
                  WHERE schemaname = 'currant' AND relname = 'executions'), 0) AS inserted,
       pg_notification_queue_usage() AS notifications,
       h.pid, h.application, h.username, h.state, h.age_s
  FROM (SELECT) AS one
  LEFT JOIN (
-- include doctor_transaction
       ) AS h ON h.age_s > 60
