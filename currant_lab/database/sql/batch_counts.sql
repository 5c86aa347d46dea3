-- How many executions of a batch stand where. $1 batch
-- repeatable
SELECT found.status, count(*) AS count
  FROM currant.batch_parts AS p
 CROSS JOIN LATERAL (
    SELECT status FROM currant.executions AS e WHERE e.id BETWEEN p.first_id AND p.last_id AND e.batch = p.batch
    UNION ALL
    SELECT status FROM currant.history AS h WHERE h.id BETWEEN p.first_id AND p.last_id AND h.batch = p.batch
 ) AS found
 WHERE p.batch = $1::bigint
 GROUP BY found.status
