-- repeatable
-- What the books say of the executions of a run. $1 the first id, $2 the last.
SELECT (SELECT count(*) FROM currant.executions WHERE id BETWEEN $1::uuid AND $2::uuid) AS unfinished,
       count(*) AS settled,
       count(*) FILTER (WHERE status <> 'succeeded') AS failed,
       count(*) FILTER (WHERE attempt <> 1) AS again,
       count(*) FILTER (WHERE token <> attempt) AS released,
       percentile_cont(ARRAY[0.5, 0.95, 0.99, 0.999, 1]) WITHIN GROUP (
           ORDER BY extract(epoch FROM started_at - created_at) * 1000.0) AS wait_ms,
       percentile_cont(ARRAY[0.5, 0.95, 0.99, 0.999, 1]) WITHIN GROUP (
           ORDER BY extract(epoch FROM finished_at - started_at) * 1000.0) AS run_ms
  FROM currant.history
 WHERE id BETWEEN $1::uuid AND $2::uuid
