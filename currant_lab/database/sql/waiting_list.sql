-- What stands first in each queue, by job. What some pool can run is claimed away from the front, so what nobody
-- can run gathers there: the first $1 of a queue show it, however many stand behind.
-- repeatable
WITH RECURSIVE busy AS (   -- the queues with something pending, found by skipping through the index
    (SELECT e.queue FROM currant.executions AS e WHERE e.status = 'pending' ORDER BY e.queue LIMIT 1)
    UNION ALL
    SELECT (SELECT e.queue FROM currant.executions AS e
             WHERE e.status = 'pending' AND e.queue > busy.queue ORDER BY e.queue LIMIT 1)
      FROM busy WHERE busy.queue IS NOT NULL
)
SELECT busy.queue, front.job, count(*) AS count, sum(count(*)) OVER (PARTITION BY busy.queue) < $1 AS exact,
       EXISTS (SELECT FROM currant.queues AS q WHERE q.name = busy.queue AND q.paused_at IS NOT NULL) AS paused
  FROM busy
 CROSS JOIN LATERAL (
    SELECT e.job FROM currant.executions AS e
     WHERE e.status = 'pending' AND e.queue = busy.queue
     ORDER BY e.queue, (-(e.priority::integer)), e.id LIMIT $1::integer
 ) AS front
 GROUP BY busy.queue, front.job
 ORDER BY busy.queue, count(*) DESC, front.job
