-- The records of runs, step by step. Of a step that is one execution: how that ended, if it has.
-- $1 runs, $2 bytes up to which a result comes along
-- repeatable
SELECT s.execution, s.number, s.kind, s.name, s.seen, s.child, s.batch, s.ended_at,
       extract(epoch FROM s.due_at - clock_timestamp())::double precision AS seconds_left,
       s.result, s.error::text AS error,
       h.status AS ended_as, h.attempt, h.error::text AS child_error,
       CASE WHEN octet_length(h.result) <= $2::integer THEN h.result END AS child_result,
       CASE WHEN s.kind = 'event' AND s.ended_at IS NULL THEN (
           SELECT g.value FROM currant.signals AS g WHERE g.execution = s.execution AND g.name = s.name) END AS signal
  FROM currant.steps AS s
  LEFT JOIN LATERAL (   -- the limit keeps it a look into the index, however large history is
        SELECT f.status, f.attempt, f.error, f.result FROM currant.history AS f WHERE f.id = s.child LIMIT 1
       ) AS h ON s.batch IS NULL
 WHERE s.execution = ANY ($1::uuid[])
 ORDER BY s.execution, s.number
