-- $1 name
-- repeatable
SELECT id, job, size FROM currant.batches WHERE name = $1::text
