-- Which of these ids there are. One snapshot sees every execution in exactly one of the two tables.
-- $1 ids, $2 the smallest, $3 the largest of them
-- repeatable
SELECT id FROM currant.history WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
UNION ALL
SELECT id FROM currant.executions WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
