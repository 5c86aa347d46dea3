-- The latest batches, newest first. $1 how many
-- repeatable
SELECT id, coalesce(name, job) AS name, size FROM currant.batches ORDER BY id DESC LIMIT $1
