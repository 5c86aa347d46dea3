-- How many of these executions stand where. $1 ids, $2 the smallest, $3 the largest of them
-- repeatable
SELECT status, count(*) AS count
  FROM currant.all_executions
 WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
 GROUP BY status
