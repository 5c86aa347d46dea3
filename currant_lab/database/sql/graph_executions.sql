-- What a graph says of executions. $1 ids, $2 the smallest, $3 the largest
-- repeatable
SELECT id, job, status, attempt, progress, batch, created_at,
       coalesce(started_at, CASE WHEN status = 'running' THEN claimed_at END) AS started_at, finished_at,
       coalesce(error ->> 'message', progress_note) AS note, error ->> 'type' AS error_type
  FROM currant.all_executions
 WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
