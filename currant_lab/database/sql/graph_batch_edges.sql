-- What the executions of a batch wait for, or waited for: each once. $1 batch, $2 its first id, $3 its last, $4 how many
-- repeatable
SELECT DISTINCT d.parent, NULL::bigint AS batch, NULL::uuid AS last_id
  FROM currant.dependencies AS d
  JOIN currant.all_executions AS e ON e.id = d.child AND e.batch = $1::bigint
 WHERE d.child BETWEEN $2::uuid AND $3::uuid
UNION
SELECT d.first_id, d.batch, d.last_id
  FROM currant.batch_dependencies AS d
  JOIN currant.all_executions AS e ON e.id = d.child AND e.batch = $1
 WHERE d.child BETWEEN $2 AND $3
 LIMIT $4::integer
