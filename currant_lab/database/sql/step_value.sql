-- What one step of a run holds. $1 run, $2 number
-- repeatable
SELECT s.kind, s.name, s.child, s.batch, s.ended_at, s.result, s.error::text AS error
  FROM currant.steps AS s WHERE s.execution = $1::uuid AND s.number = $2::integer
