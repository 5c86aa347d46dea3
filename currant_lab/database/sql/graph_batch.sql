-- How the executions of a batch stand: a row per status. $1 batch, $2 its first id, $3 its last
-- repeatable
SELECT status, count(*) AS count, min(job) AS job, min(created_at) AS began_at,
       min(coalesce(started_at, claimed_at)) AS started_at, max(finished_at) AS ended_at
  FROM currant.all_executions
 WHERE id BETWEEN $2::uuid AND $3::uuid AND batch = $1::bigint
 GROUP BY status
