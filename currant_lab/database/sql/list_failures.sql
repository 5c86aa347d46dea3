-- The latest $1 failures by job and type of error. The status alone: saying too that it is not 'succeeded', as the
-- index does, makes the planner expect few and read them all (1.1 s for 50 ms with 60,000 failures).
-- repeatable
WITH latest AS MATERIALIZED (
    SELECT id, job, coalesce(error ->> 'type', '') AS type, finished_at
      FROM currant.history WHERE status = 'failed' ORDER BY id DESC LIMIT $1::integer
), grouped AS (
    SELECT job, type, count(*) AS count, min(finished_at) AS first_at, max(finished_at) AS last_at,
           (array_agg(id ORDER BY finished_at DESC))[1] AS sample
      FROM latest GROUP BY job, type ORDER BY count(*) DESC, job, type LIMIT 200
)
SELECT g.job, g.type, g.count, (SELECT count(*) FROM latest) < $1 AS exact,
       extract(epoch FROM g.first_at)::double precision AS first_at,
       extract(epoch FROM g.last_at)::double precision AS last_at, g.sample,
       left(h.error ->> 'message', 1000) AS message, left(h.error ->> 'traceback', 20000) AS traceback
  FROM grouped AS g LEFT JOIN currant.history AS h ON h.id = g.sample
 ORDER BY g.count DESC, g.job, g.type
