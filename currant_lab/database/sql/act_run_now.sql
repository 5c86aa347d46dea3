-- What is scheduled becomes pending, as if its time had come; one wake-up per queue. $1 ids
WITH found AS MATERIALIZED (
    SELECT id FROM currant.executions WHERE id = ANY ($1::uuid[]) AND status = 'scheduled' ORDER BY id FOR UPDATE
), moved AS (
    UPDATE currant.executions AS e SET status = 'pending' FROM found AS f WHERE e.id = f.id RETURNING e.id, e.queue
), told AS (
    SELECT pg_notify('currant_wake', '+' || queue) FROM (SELECT DISTINCT queue FROM moved) AS queues
)
-- Selected, because a CTE that nobody reads doesn't run.
SELECT m.id, t.queues FROM moved AS m CROSS JOIN (SELECT count(*) AS queues FROM told) AS t
