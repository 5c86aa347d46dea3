-- The pools that have neither said goodbye nor been declared dead, with what each runs.
-- $1 the schema's lock key
-- repeatable
SELECT p.id, p.name, p.kind, p.host, p.pid, p.version, p.queues, p.jobs, p.workers, p.has_lock, p.started_at,
       extract(epoch FROM now() - p.seen_at)::double precision AS age_s,
       EXISTS (SELECT FROM pg_locks AS l
                WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
                  AND l.classid::bigint = $1::integer AND l.objid::bigint = p.id
                  AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())) AS held,
       (SELECT count(*) FROM currant.executions AS e WHERE e.claimed_by = p.id AND e.status = 'running') AS running
  FROM currant.pools AS p
 WHERE p.stopped_at IS NULL AND p.lost_at IS NULL
 ORDER BY p.id
