-- One new execution as running already, in the pool of this very process that has kept a worker for it: no claim, no
-- NOTIFY. In a queue that is paused it waits like any other. Returns nothing where the id is there already.
-- $1 id, $2 job, $3 queue, $4 priority, $5 retries, $6 options (JSON), $7 arguments, $8 pool
INSERT INTO currant.executions (id, job, queue, priority, retries, options, args,
                                status, attempt, token, claimed_by, claimed_at)
SELECT $1::uuid, $2::text, $3::text, $4::smallint, $5::smallint, $6::text::jsonb, $7::bytea,
       CASE WHEN here.pool IS NULL THEN 'pending' ELSE 'running' END,
       (here.pool IS NOT NULL)::integer, (here.pool IS NOT NULL)::integer,
       here.pool, CASE WHEN here.pool IS NOT NULL THEN now() END
  FROM (SELECT CASE WHEN NOT EXISTS (SELECT FROM currant.queues AS q WHERE q.name = $3::text AND q.paused_at IS NOT NULL)
                    THEN $8::integer END AS pool) AS here
    ON CONFLICT (id) DO NOTHING
RETURNING status = 'running' AS is_here, (extract(epoch FROM created_at) * 1000000)::bigint AS created_at
