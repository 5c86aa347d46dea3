-- One new execution, due at once: what most submits are, in half the time of the statement for many.
-- $1 id, $2 job, $3 queue, $4 priority, $5 retries, $6 options (JSON), $7 arguments
WITH written AS (
    INSERT INTO currant.executions (id, job, queue, priority, retries, options, args)
    VALUES ($1::uuid, $2::text, $3::text, $4::smallint, $5::smallint, $6::text::jsonb, $7::bytea)
        ON CONFLICT (id) DO NOTHING
    RETURNING '+' || queue AS payload
)
SELECT payload, pg_notify('currant_wake', payload) FROM written
