-- How long the oldest pending execution of each queue has waited. The oldest of each priority is the first in the
-- index, so this steps from one (queue, priority) to the next: at most $1 steps, however many executions wait.
-- repeatable
WITH RECURSIVE steps AS (
    (SELECT e.queue, -(e.priority::integer) AS rank, coalesce(e.due_at, e.created_at) AS since, 1 AS n
       FROM currant.executions AS e WHERE e.status = 'pending'
      ORDER BY e.queue, -(e.priority::integer), e.id LIMIT 1)
    UNION ALL
    SELECT next.queue, next.rank, next.since, steps.n + 1
      FROM steps CROSS JOIN LATERAL (
           SELECT e.queue, -(e.priority::integer) AS rank, coalesce(e.due_at, e.created_at) AS since
             FROM currant.executions AS e
            WHERE e.status = 'pending' AND (e.queue, -(e.priority::integer)) > (steps.queue, steps.rank)
            ORDER BY e.queue, -(e.priority::integer), e.id LIMIT 1) AS next
     WHERE steps.n < $1::integer
)
SELECT queue, extract(epoch FROM clock_timestamp() - min(since))::double precision AS age_s
  FROM steps GROUP BY queue
