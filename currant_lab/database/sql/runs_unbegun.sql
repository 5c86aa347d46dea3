-- The newest runs of these workflows that have not begun a step, and have not ended. $1 names of jobs, $2 how many at most
-- repeatable
SELECT e.id FROM currant.executions AS e
 WHERE e.job = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM currant.steps AS s WHERE s.execution = e.id)
 ORDER BY e.id DESC LIMIT $2::integer
