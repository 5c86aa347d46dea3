-- Part of other statements: what a filter looks at, of what is finished.
id, job, queue, priority, status, attempt, claimed_by, batch, created_at, due_at, claimed_at, progress_note,
error, args, logs
