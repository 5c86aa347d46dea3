-- Write steps of runs whose claim still holds, with the executions they begin, and wake the pools. A step that is there
-- already gets its end and begins nothing: repeating this after a lost answer does no harm.
-- $1 runs, $2 tokens; steps: $3 runs, $4 numbers, $5 kinds, $6 names, $7 seen (as text), $8 children, $9 the last ones and
-- $10 the numbers of batches that are awaited, $11 seconds to the due time, $12 results, $13 errors (JSON), $14 whether
-- they have ended, $15 how long ago they began (s); executions: $16 runs, $17 steps, $18 ids, $19 jobs, $20 queues,
-- $21 priorities, $22 retries, $23 options (JSON), $24 delays (s), $25 due times, $26 arguments, $27 pools of this process
-- that have kept a worker for them: such an execution is running at once, unless its queue is paused.
-- Returns the runs that still hold their claim, the steps that are new, the executions that run, and the wake-ups sent.
WITH held AS MATERIALIZED (
    SELECT e.id, e.rescues, e.has_children
      FROM unnest($1::uuid[], $2::integer[]) AS r (id, token)
      JOIN currant.executions AS e ON e.id = r.id AND e.token = r.token
     WHERE e.id = ANY ($1::uuid[]) AND e.claimed_by IS NOT NULL
       FOR SHARE OF e
), begun AS (   -- pools that died before this step don't count against the run any more: it gets on
    UPDATE currant.executions AS e SET attempt = e.attempt - e.rescues, rescues = 0, has_children = true
      FROM held AS h
     WHERE e.id = h.id AND (h.rescues > 0 OR h.has_children IS NOT TRUE)
), written AS (
    INSERT INTO currant.steps AS s (execution, number, kind, name, seen, child, last_id, batch, due_at, ended_at, result,
                                    error, began_at)
    SELECT n.run, n.number, n.kind, n.name, n.seen::integer[], n.child, n.last_id, n.batch,
           now() + n.seconds * interval '1 second',
           CASE WHEN n.is_over THEN now() END, n.result, n.error::jsonb, now() - n.age * interval '1 second'
      FROM unnest($3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::uuid[], $10::bigint[],
                  $11::double precision[], $12::bytea[], $13::text[], $14::boolean[], $15::double precision[])
           AS n (run, number, kind, name, seen, child, last_id, batch, seconds, result, error, is_over, age)
      JOIN held AS h ON h.id = n.run
        ON CONFLICT (execution, number) DO UPDATE
       SET ended_at = excluded.ended_at, result = excluded.result, error = excluded.error,
           began_at = least(s.began_at, excluded.began_at)
     WHERE s.ended_at IS NULL AND excluded.ended_at IS NOT NULL
    RETURNING s.execution, s.number, s.xmax = 0 AS is_new
), new AS (
    INSERT INTO currant.executions (id, job, queue, priority, status, attempt, token, claimed_by, claimed_at, retries,
                                    due_at, options, args)
    SELECT c.id, c.job, c.queue, c.priority,
           CASE WHEN p.pool IS NOT NULL THEN 'running' WHEN d.due_at > now() THEN 'scheduled' ELSE 'pending' END,
           (p.pool IS NOT NULL)::integer, (p.pool IS NOT NULL)::integer, p.pool,
           CASE WHEN p.pool IS NOT NULL THEN now() END, c.retries,
           CASE WHEN d.due_at > now() THEN d.due_at END, c.options::jsonb, c.args
      FROM unnest($16::uuid[], $17::integer[], $18::uuid[], $19::text[], $20::text[], $21::smallint[], $22::smallint[],
                  $23::text[], $24::double precision[], $25::timestamptz[], $26::bytea[], $27::integer[])
           AS c (run, number, id, job, queue, priority, retries, options, delay, at, args, pool)
     CROSS JOIN LATERAL (SELECT coalesce(c.at, now() + c.delay * interval '1 second') AS due_at) AS d
     CROSS JOIN LATERAL (
        SELECT CASE WHEN NOT EXISTS (SELECT FROM currant.queues AS q WHERE q.name = c.queue AND q.paused_at IS NOT NULL)
                    THEN c.pool END AS pool
     ) AS p
      JOIN written AS w ON w.execution = c.run AND w.number = c.number AND w.is_new
    RETURNING id, queue, status, created_at
), wake AS (
    SELECT DISTINCT CASE status WHEN 'scheduled' THEN '@' ELSE '+' || queue END AS payload
      FROM new WHERE status <> 'running'
)
SELECT NULL::uuid AS run, NULL::integer AS number, w.payload, pg_notify('currant_wake', w.payload)::text AS sent,
       NULL::uuid AS child, NULL::bigint AS created_at
  FROM wake AS w
UNION ALL
SELECT h.id, NULL, NULL, NULL, NULL, NULL FROM held AS h
UNION ALL
SELECT w.execution, w.number, NULL, NULL, NULL, NULL FROM written AS w WHERE w.is_new
UNION ALL
SELECT NULL, NULL, NULL, NULL, n.id, (extract(epoch FROM n.created_at) * 1000000)::bigint
  FROM new AS n WHERE n.status = 'running'
