-- Final outcomes end executions: from the table to history, in one statement. Part of the statements that settle.
-- Running is said by claimed_by: the status would open a partial index that a plan of an empty table prefers to the key.
gone AS (
    DELETE FROM currant.executions AS e USING outcome AS o
     WHERE e.id = o.id AND e.token = o.token AND e.claimed_by IS NOT NULL AND (o.status <> 'retry' OR e.cancelling)
    RETURNING e.id, e.job, e.queue, e.priority,
              CASE WHEN o.status = 'retry' THEN 'cancelled' ELSE o.status END AS status,
              e.attempt, e.token, e.rescues, e.retries, e.claimed_by,
              e.batch, e.created_at, e.due_at, e.claimed_at, o.run_us, o.ended_us_ago, e.progress, e.progress_note,
              e.options, o.source, e.args, o.result, o.error, e.attempts, o.logs, e.has_children
), done AS (
    INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
              batch, created_at, due_at, claimed_at, started_at, finished_at, progress, progress_note,
              options, source, args, result, error, attempts, logs)
    SELECT id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
           batch, created_at, due_at, claimed_at,
           now() - (run_us + ended_us_ago) * interval '1 microsecond',
           now() - ended_us_ago * interval '1 microsecond', progress, progress_note,
           options, source, args, result, error::jsonb, attempts, logs
      FROM gone
    RETURNING 1
), tied AS MATERIALIZED (
    SELECT bool_or(has_children) AS alone, min(batch) AS first, max(batch) AS last FROM gone
), passed AS MATERIALIZED (   -- those that wait for what has ended are moved on, in the same statement
    SELECT currant.pass_on(array_agg(g.id), array_agg(g.status), array_agg(g.batch)) AS cancelled
      FROM tied CROSS JOIN (SELECT count(*) AS n FROM done) AS written CROSS JOIN gone AS g
     WHERE written.n > 0 AND (tied.alone OR tied.first <> tied.last OR currant.is_awaited(tied.first))
    HAVING count(*) > 0
)
