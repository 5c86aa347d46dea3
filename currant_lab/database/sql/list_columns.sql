-- Part of other statements: what a filter looks at, of what is not finished.
id, job, queue, priority, status, attempt, claimed_by, batch, created_at, due_at, claimed_at, progress_note,
NULL::jsonb AS error, args, logs
