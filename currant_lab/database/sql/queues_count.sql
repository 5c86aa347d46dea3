-- What stands in each queue. Of pending and scheduled ones at most $1 are counted: a count that reaches it says
-- "at least", and costs the same with a million more behind it.
-- repeatable
WITH RECURSIVE busy AS (   -- the queues with something pending, found by skipping through the index
    (SELECT e.queue FROM currant.executions AS e WHERE e.status = 'pending' ORDER BY e.queue LIMIT 1)
    UNION ALL
    SELECT (SELECT e.queue FROM currant.executions AS e
             WHERE e.status = 'pending' AND e.queue > busy.queue ORDER BY e.queue LIMIT 1)
      FROM busy WHERE busy.queue IS NOT NULL
), counted AS (
    SELECT busy.queue, 'pending' AS status,
           (SELECT count(*) FROM (SELECT FROM currant.executions AS e
                                   WHERE e.status = 'pending' AND e.queue = busy.queue LIMIT $1::integer) AS few) AS n
      FROM busy WHERE busy.queue IS NOT NULL
    UNION ALL
    SELECT queue, 'running', count(*) FROM currant.executions WHERE status = 'running' GROUP BY queue
    UNION ALL
    SELECT queue, 'scheduled', count(*)
      FROM (SELECT queue FROM currant.executions WHERE status = 'scheduled' LIMIT $1) AS few GROUP BY queue
)
SELECT coalesce(c.queue, q.name) AS queue, q.paused_at,
       coalesce(sum(c.n) FILTER (WHERE c.status = 'pending'), 0)::bigint AS pending,
       coalesce(sum(c.n) FILTER (WHERE c.status = 'running'), 0)::bigint AS running,
       coalesce(sum(c.n) FILTER (WHERE c.status = 'scheduled'), 0)::bigint AS scheduled
  FROM counted AS c FULL JOIN currant.queues AS q ON q.name = c.queue
 GROUP BY coalesce(c.queue, q.name), q.paused_at
 ORDER BY 1
