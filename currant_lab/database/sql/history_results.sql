-- The encoded results of executions that succeeded. $1 ids, $2 the smallest, $3 the largest of them
-- repeatable
SELECT id, result FROM currant.history WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
