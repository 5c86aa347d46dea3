-- The newest runs of workflows that have begun a step, and how their steps stand: the ids are found one by one along the
-- primary key of the steps. $1 how many at most
-- repeatable
WITH RECURSIVE found (run) AS (
    (SELECT s.execution FROM currant.steps AS s ORDER BY s.execution DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT s.execution FROM currant.steps AS s WHERE s.execution < f.run ORDER BY s.execution DESC LIMIT 1)
      FROM found AS f WHERE f.run IS NOT NULL
), newest AS MATERIALIZED (
    SELECT run FROM found WHERE run IS NOT NULL LIMIT $1::integer
)
SELECT n.run AS id, c.begun, c.finished, c.names, c.due_at
  FROM newest AS n
 CROSS JOIN LATERAL (
    SELECT count(*) AS begun, count(*) FILTER (WHERE NOT o.is_open) AS finished,
           (array_agg(CASE WHEN s.kind IN ('event', 'sleep') THEN s.kind || ' ' || s.name ELSE s.name END
                      ORDER BY s.number) FILTER (WHERE o.is_open))[1:20] AS names,
           min(s.due_at) FILTER (WHERE o.is_open) AS due_at
      FROM currant.steps AS s
     CROSS JOIN LATERAL (
        SELECT s.ended_at IS NULL AND s.error IS NULL AND s.kind <> 'submit'
               AND CASE WHEN s.batch IS NOT NULL THEN EXISTS (
                            SELECT FROM currant.executions AS x
                             WHERE x.id BETWEEN s.child AND s.last_id AND x.batch = s.batch)
                        WHEN s.child IS NOT NULL THEN EXISTS (SELECT FROM currant.executions AS x WHERE x.id = s.child)
                        ELSE coalesce(s.due_at > clock_timestamp(), true) END AS is_open
     ) AS o
     WHERE s.execution = n.run
 ) AS c
 ORDER BY n.run DESC
