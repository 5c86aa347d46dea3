-- Cancel: what hasn't started ends here, what runs is asked to end, and its pool is told.
-- Rows are locked in order first: two who cancel at once can't deadlock, and a claim that was under way is seen.
-- $1 ids. Returns the status each of those found had.
WITH found AS MATERIALIZED (
    SELECT id, status FROM currant.executions WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
), gone AS (
    DELETE FROM currant.executions AS e USING found AS f
     WHERE e.id = f.id AND f.status IN ('scheduled', 'waiting', 'pending')
    RETURNING e.*
), done AS (
    INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
              batch, created_at, due_at, claimed_at, started_at, finished_at, progress, progress_note,
              options, source, args, result, error, attempts, logs)
    SELECT id, job, queue, priority, 'cancelled', attempt, token, rescues, retries, claimed_by,
           batch, created_at, due_at, claimed_at, NULL, now(), progress, progress_note,
           options, NULL, args, NULL, NULL, attempts, logs
      FROM gone
), asked AS (
    UPDATE currant.executions AS e SET cancelling = true FROM found AS f
     WHERE e.id = f.id AND f.status = 'running' AND NOT e.cancelling
    RETURNING e.claimed_by
), told AS (
    SELECT pg_notify('currant_wake', '!cancel ' || claimed_by) FROM (SELECT DISTINCT claimed_by FROM asked) AS pools
)
-- Selected, because a CTE that nobody reads doesn't run.
SELECT f.id, f.status, t.pools FROM found AS f CROSS JOIN (SELECT count(*) AS pools FROM told) AS t
