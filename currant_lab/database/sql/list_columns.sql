-- Part of other statements: what a filter looks at, of what is not finished: its error is its last attempt's.
id, job, queue, priority, status, attempt, claimed_by, batch, created_at, due_at, claimed_at, progress_note,
attempts -> -1 -> 'error' AS error, args, logs
