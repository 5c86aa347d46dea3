-- When each attempt at some executions was asked for, began and ended, in seconds since 1970, and how many workers its
-- pool has; attempts that were to run again have the status 'retried', and no time they were asked for; what runs ends
-- now, so far. $1 ids, $2 the smallest, $3 the largest
-- repeatable
WITH found AS MATERIALIZED (
    SELECT id, status, claimed_by, created_at, due_at, claimed_at, started_at, finished_at, attempts
      FROM currant.all_executions
     WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
)
SELECT status, pool, asked_at, span.started_at, finished_at, p.workers FROM (
SELECT status, claimed_by AS pool,
       extract(epoch FROM greatest(created_at, due_at))::double precision AS asked_at,
       extract(epoch FROM coalesce(started_at, CASE WHEN status = 'running' THEN claimed_at END))::double precision
           AS started_at,
       extract(epoch FROM coalesce(finished_at, CASE WHEN status = 'running' THEN now() END))::double precision
           AS finished_at
  FROM found
UNION ALL
SELECT 'retried', a.pool, NULL,
       extract(epoch FROM a.started_at)::double precision, extract(epoch FROM a.finished_at)::double precision
  FROM found AS f
 CROSS JOIN LATERAL jsonb_to_recordset(f.attempts)
    AS a (pool integer, started_at timestamptz, finished_at timestamptz)
 WHERE f.attempts IS NOT NULL AND a.started_at IS NOT NULL AND a.finished_at IS NOT NULL
) AS span LEFT JOIN currant.pools AS p ON p.id = span.pool
