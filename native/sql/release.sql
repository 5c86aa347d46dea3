-- Give claimed but unstarted executions back: the attempt did not happen, the token stays up. One whose
-- cancellation has been asked for ends cancelled. $1 ids, $2 tokens. Returns the ids that were still held.
WITH claim AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::integer[]) AS c (id, token)
), gone AS (
    DELETE FROM currant.executions AS e USING claim AS c
     WHERE e.id = c.id AND e.token = c.token AND e.claimed_by IS NOT NULL AND e.cancelling
    RETURNING e.*
), done AS (
    INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
              batch, created_at, due_at, claimed_at, finished_at, progress, progress_note,
              options, args, attempts, logs)
    SELECT id, job, queue, priority, 'cancelled', attempt - 1, token, rescues, retries, claimed_by,
           batch, created_at, due_at, claimed_at, now(), progress, progress_note,
           options, args, attempts, logs
      FROM gone
        ON CONFLICT (id) DO NOTHING  -- a row that was written again after its end: what is finished stands
    RETURNING 1
), tied AS MATERIALIZED (
    SELECT bool_or(has_children) AS alone, min(batch) AS first, max(batch) AS last FROM gone
), passed AS MATERIALIZED (   -- those that wait for what has ended are moved on, in the same statement
    SELECT currant.pass_on(array_agg(g.id), array_agg('cancelled'::text), array_agg(g.batch)) AS cancelled
      FROM tied CROSS JOIN (SELECT count(*) AS n FROM done) AS written CROSS JOIN gone AS g
     WHERE written.n > 0 AND (tied.alone OR tied.first <> tied.last OR currant.is_awaited(tied.first))
    HAVING count(*) > 0
), back AS (
    UPDATE currant.executions AS e
       SET status = 'pending', attempt = e.attempt - 1, claimed_by = NULL, claimed_at = NULL
      FROM claim AS c
     WHERE e.id = c.id AND e.token = c.token AND e.claimed_by IS NOT NULL AND NOT e.cancelling
    RETURNING e.id, e.queue
), told AS (
    SELECT count(pg_notify('currant_wake', '+' || q.queue)::text) AS n
      FROM (SELECT DISTINCT queue FROM back) AS q
)
SELECT b.id FROM back AS b CROSS JOIN told UNION ALL SELECT g.id FROM gone AS g CROSS JOIN (SELECT count(*) AS n FROM passed) AS p
