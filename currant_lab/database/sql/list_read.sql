-- The executions of a page. $1 ids, $2 the smallest, $3 the largest of them
-- repeatable
SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
       coalesce(started_at, CASE WHEN status = 'running' THEN claimed_at END) AS started_at, finished_at,
       cancelling, progress, progress_note, source,
       jsonb_build_object('type', error -> 'type', 'message', left(error ->> 'message', 1000))::text AS error,
       error IS NULL AS ended_well, NULL::text AS attempts, NULL::text AS logs
  FROM currant.all_executions
 WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
