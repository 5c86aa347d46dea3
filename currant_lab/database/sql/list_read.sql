-- The executions of a page, each looked up by its key: a page may span millions. $1 ids
-- repeatable
SELECT e.id, e.job, e.queue, e.priority, e.status, e.attempt, e.retries, e.rescues, e.claimed_by, e.batch, e.created_at,
       e.due_at, coalesce(e.started_at, CASE WHEN e.status = 'running' THEN e.claimed_at END) AS started_at,
       e.finished_at, e.cancelling, e.progress, e.progress_note, e.source,
       jsonb_build_object('type', e.error -> 'type', 'message', left(e.error ->> 'message', 1000))::text AS error,
       e.error IS NULL AS ended_well, NULL::text AS attempts, NULL::text AS logs
  FROM unnest($1::uuid[]) AS wanted (id)
 CROSS JOIN LATERAL (
    SELECT * FROM currant.all_executions AS a WHERE a.id = wanted.id LIMIT 1
 ) AS e
