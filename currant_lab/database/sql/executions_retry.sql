-- Run finished executions again: back to pending, as if never started, but the fence stays up. How they ended
-- joins their list of attempts. $1 ids, $2 the smallest, $3 the largest, $4 statuses to take. Returns the ids taken.
WITH found AS MATERIALIZED (
    SELECT id FROM currant.history
     WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
       AND status = ANY ($4::text[]) AND status IN ('failed', 'cancelled')
     ORDER BY id FOR UPDATE
), gone AS (
    DELETE FROM currant.history AS h USING found AS f
     WHERE h.id = f.id AND h.id BETWEEN $2 AND $3
    RETURNING h.*
), again AS (
    INSERT INTO currant.executions (id, job, queue, priority, status, waits_for, attempt, token, rescues, retries,
              batch, created_at, options, args, attempts)
    SELECT id, job, queue, priority, s.status, s.waits_for, 0, token, 0, retries, batch, created_at, options, args,
           CASE WHEN started_at IS NULL AND error IS NULL THEN attempts
                ELSE coalesce(attempts, '[]'::jsonb) || jsonb_build_object(
                    'attempt', attempt, 'pool', claimed_by, 'started_at', started_at, 'finished_at', finished_at,
                    'error', error) END
      FROM gone CROSS JOIN LATERAL currant.start_of(gone.id) AS s
    RETURNING id, queue
), back AS MATERIALIZED (
    SELECT currant.revive(r.ids) AS children, currant.forget_failed(r.ids) FROM (SELECT array_agg(id) AS ids FROM again) AS r WHERE r.ids IS NOT NULL
), told AS (
    SELECT pg_notify('currant_wake', '+' || queue) FROM (SELECT DISTINCT queue FROM again) AS queues
)
-- Selected, because a CTE that nobody reads doesn't run.
SELECT a.id, t.queues FROM again AS a CROSS JOIN (SELECT count(*) AS queues FROM told) AS t CROSS JOIN back
