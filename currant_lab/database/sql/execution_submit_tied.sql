-- Write one execution that waits for others, and tie it to them. An id that is there already is left alone.
-- $1 id, $2 job, $3 queue, $4 priority, $5 retries, $6 options (JSON), $7 delay (s), $8 due time, $9 arguments,
-- $10 children, $11 parents, $12 many, $13 firsts, $14 lasts, $15 sizes: see the function `tie`
-- Returns what it can't wait for; then nothing was written.
WITH written AS (
    INSERT INTO currant.executions (id, job, queue, priority, status, retries, due_at, options, args)
    VALUES ($1::uuid, $2::text, $3::text, $4::smallint, 'waiting', $5::smallint,
            coalesce($8::timestamptz, CASE WHEN $7::double precision > 0 THEN now() + $7 * interval '1 second' END),
            $6::text::jsonb, $9::bytea)
        ON CONFLICT (id) DO NOTHING
    RETURNING id
)
SELECT t.child, t.parent
  FROM (SELECT count(*) AS n FROM written) AS w
 CROSS JOIN LATERAL currant.tie($10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[], $14::uuid[], $15::bigint[]) AS t
 WHERE w.n > 0
