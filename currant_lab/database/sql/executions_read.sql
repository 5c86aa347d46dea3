-- All that is known of some executions, but for arguments and results. $1 ids, $2 the smallest, $3 the largest
-- repeatable
SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
       coalesce(started_at, CASE WHEN status = 'running' THEN claimed_at END) AS started_at, finished_at,
       cancelling, progress, progress_note, source, error::text AS error, attempts::text AS attempts, logs
  FROM currant.all_executions
 WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
