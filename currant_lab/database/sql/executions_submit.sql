-- Write new executions, and wake the pools once per queue. An id that is there already is left alone, so that
-- a submit whose answer got lost can be repeated.
-- $1 ids, $2 jobs, $3 queues, $4 priorities, $5 retries, $6 options (JSON), $7 delays (s), $8 due times, $9 arguments
-- Returns the wake-ups that were sent.
WITH new AS (
    SELECT n.*, coalesce(n.at, now() + n.delay * interval '1 second') AS due_at
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[],
                  $7::double precision[], $8::timestamptz[], $9::bytea[])
        AS n (id, job, queue, priority, retries, options, delay, at, args)
), written AS (
    INSERT INTO currant.executions (id, job, queue, priority, status, retries, due_at, options, args)
    SELECT id, job, queue, priority, CASE WHEN due_at > now() THEN 'scheduled' ELSE 'pending' END, retries,
           CASE WHEN due_at > now() THEN due_at END, options::jsonb, args
      FROM new
        ON CONFLICT (id) DO NOTHING
    RETURNING queue, status
), wake AS (
    SELECT DISTINCT CASE status WHEN 'scheduled' THEN '@' ELSE '+' || queue END AS payload FROM written
)
SELECT payload, pg_notify('currant_wake', payload) FROM wake
