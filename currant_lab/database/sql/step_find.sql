-- The numbers of the steps of a run that have a name: of a job in full, or its function's own. $1 run, $2 name
-- repeatable
SELECT s.number FROM currant.steps AS s
 WHERE s.execution = $1::uuid AND (s.name = $2::text OR s.name LIKE '%:' || replace(replace($2, '\', '\\'), '_', '\_'))
 ORDER BY s.number
