-- Those of some executions that have begun steps. $1 ids
-- repeatable
SELECT u.id FROM unnest($1::uuid[]) AS u (id)
 WHERE EXISTS (SELECT FROM currant.steps AS s WHERE s.execution = u.id)
