-- The batch of that name or number, and the ids between which its executions lie. $1 name, $2 number or null
-- repeatable
SELECT b.id,
       (SELECT first_id FROM currant.batch_parts AS p WHERE p.batch = b.id ORDER BY first_id LIMIT 1) AS low,
       (SELECT last_id FROM currant.batch_parts AS p WHERE p.batch = b.id ORDER BY last_id DESC LIMIT 1) AS high
  FROM currant.batches AS b
 WHERE b.name = $1::text OR b.id = $2::bigint
 ORDER BY b.name = $1 DESC NULLS LAST LIMIT 1
