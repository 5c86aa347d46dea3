-- The pools that ended within the last ten minutes, the latest $1 of them.
-- repeatable
SELECT id, name, kind, host, pid, version, queues, workers, lost_at IS NOT NULL AS lost,
       extract(epoch FROM clock_timestamp() - coalesce(lost_at, stopped_at))::double precision AS ago_s
  FROM currant.pools
 WHERE coalesce(lost_at, stopped_at) > clock_timestamp() - interval '10 minutes'
 ORDER BY id DESC LIMIT $1
