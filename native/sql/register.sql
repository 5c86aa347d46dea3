-- A new pool with its lease, and its lock in the same statement, so that no sweep sees one without the other.
-- $1 name, $2 kind, $3 host, $4 boot id, $5 pid, $6 its start, $7 version, $8 queues, $9 jobs, $10 workers,
-- $11 lock key; null: there are no session locks here
WITH pool AS (
    INSERT INTO currant.pools (name, kind, host, boot_id, pid, pid_started, version, queues, jobs, workers, has_lock)
    VALUES ($1::text, $2::text, $3::text, $4::text, $5::integer, $6::bigint, $7::text, $8::text[], $9::text[],
            $10::integer, $11::integer IS NOT NULL)
    RETURNING id
)
SELECT id, CASE WHEN $11::integer IS NULL THEN false ELSE pg_try_advisory_lock($11::integer, id) END AS locked,
       pg_notify('currant_wake', '!pools')::text
  FROM pool
