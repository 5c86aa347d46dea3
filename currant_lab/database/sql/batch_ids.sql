-- The ids of a batch in the order they were submitted; those that were pruned are missing. $1 batch
-- repeatable
SELECT found.id
  FROM currant.batch_parts AS p
 CROSS JOIN LATERAL (
    SELECT id FROM currant.executions AS e WHERE e.id BETWEEN p.first_id AND p.last_id AND e.batch = p.batch
    UNION ALL
    SELECT id FROM currant.history AS h WHERE h.id BETWEEN p.first_id AND p.last_id AND h.batch = p.batch
 ) AS found
 WHERE p.batch = $1::bigint
 ORDER BY found.id
