-- The latest batches of some jobs, newest first. $1 how many, $2 jobs, $3 how the names of others begin
-- repeatable
SELECT id, name, job, size
  FROM (SELECT id, name, job, size FROM currant.batches ORDER BY id DESC LIMIT 10000) AS latest
 WHERE job = ANY ($2::text[]) OR starts_with(job, $3::text)
 ORDER BY id DESC LIMIT $1::integer
