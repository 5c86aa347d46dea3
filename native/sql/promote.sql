-- Move what is due to pending, and say when the next one will be. One NOTIFY per queue.
WITH due AS MATERIALIZED (
    SELECT id FROM currant.executions
     WHERE status = 'scheduled' AND due_at <= now()
     ORDER BY due_at LIMIT 1000
       FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE currant.executions SET status = 'pending'
     WHERE id = ANY (ARRAY(SELECT id FROM due))  -- locked, so still scheduled
    RETURNING queue
), told AS (
    SELECT q.queue, pg_notify('currant_wake', '+' || q.queue)::text AS done
      FROM (SELECT DISTINCT queue FROM moved) AS q
)
SELECT (SELECT count(*) FROM moved) AS moved,
       (SELECT coalesce(array_agg(queue), '{}') FROM told WHERE done IS NOT NULL) AS queues,
       (SELECT extract(epoch FROM e.due_at - now())::double precision
          FROM currant.executions AS e
         WHERE e.status = 'scheduled' AND e.due_at > now() ORDER BY e.due_at LIMIT 1) AS due_in
