-- Which of these ids are finished. $1 ids, $2 the smallest, $3 the largest of them: a range prunes partitions
-- even in a generic plan.
-- repeatable
SELECT id FROM currant.history WHERE id = ANY ($1::uuid[]) AND id BETWEEN $2::uuid AND $3::uuid
