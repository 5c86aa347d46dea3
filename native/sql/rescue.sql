-- Give the executions of dead pools back. One that was to be cancelled ends cancelled; one that has lost
-- more pools than its rescue limit ends failed: it may be what kills them.
-- $1 pools found dead, $2 pools gone before whose claims were left over
WITH dead AS MATERIALIZED (
    SELECT id FROM currant.pools
     WHERE id = ANY ($1::integer[]) AND stopped_at IS NULL AND lost_at IS NULL
     ORDER BY id FOR UPDATE SKIP LOCKED
), buried AS (
    UPDATE currant.pools SET lost_at = now() WHERE id IN (SELECT id FROM dead)
), orphan AS MATERIALIZED (
    SELECT e.id, e.token, e.cancelling, e.rescues >= greatest(coalesce(e.retries, 0), 3) AS is_spent
      FROM currant.executions AS e
     WHERE e.claimed_by = ANY (ARRAY(SELECT id FROM dead) || $2::integer[]) AND e.status = 'running'
       FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM currant.executions AS e USING orphan AS o
     WHERE e.id = o.id AND e.token = o.token AND e.claimed_by IS NOT NULL AND (o.cancelling OR o.is_spent)
    RETURNING e.*, CASE WHEN o.cancelling THEN 'cancelled' ELSE 'failed' END AS final
), done AS (
    INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
              batch, created_at, due_at, claimed_at, started_at, finished_at, progress, progress_note,
              options, args, error, attempts, logs)
    SELECT id, job, queue, priority, final, attempt, token, rescues, retries, claimed_by,
           batch, created_at, due_at, claimed_at, claimed_at, now(), progress, progress_note,
           options, args,
           CASE WHEN final = 'failed' THEN jsonb_build_object('type', 'PoolLost', 'message',
                'its pool died while running it, ' || rescues + 1 || ' times') END,
           attempts, logs
      FROM gone
        ON CONFLICT (id) DO NOTHING  -- a row that was written again after its end: what is finished stands
    RETURNING 1
), tied AS MATERIALIZED (
    SELECT bool_or(has_children) AS alone, min(batch) AS first, max(batch) AS last FROM gone
), passed AS MATERIALIZED (   -- those that wait for what has ended are moved on, in the same statement
    SELECT currant.pass_on(array_agg(g.id), array_agg(g.final), array_agg(g.batch)) AS cancelled
      FROM tied CROSS JOIN (SELECT count(*) AS n FROM done) AS written CROSS JOIN gone AS g
     WHERE written.n > 0 AND (tied.alone OR tied.first <> tied.last OR currant.is_awaited(tied.first))
    HAVING count(*) > 0
), back AS (
    UPDATE currant.executions AS e
       SET status = 'pending', rescues = e.rescues + 1, claimed_by = NULL, claimed_at = NULL
      FROM orphan AS o
     WHERE e.id = o.id AND e.token = o.token AND e.claimed_by IS NOT NULL AND NOT o.cancelling AND NOT o.is_spent
    RETURNING e.queue
), told AS (
    SELECT pg_notify('currant_wake', '+' || q.queue)::text FROM (SELECT DISTINCT queue FROM back) AS q
    UNION ALL
    SELECT pg_notify('currant_wake', '!pools')::text FROM dead LIMIT 1
)
SELECT (SELECT count(*) FROM dead) AS pools, (SELECT count(*) FROM back) AS rescued,
       (SELECT count(*) FROM gone CROSS JOIN (SELECT count(*) AS n FROM passed) AS p) AS ended, (SELECT count(*) FROM told) AS told
