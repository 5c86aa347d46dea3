-- What is in a batch already: a hash of the arguments for every execution, oldest first. $1 batch
SELECT found.id, found.hash
  FROM currant.batch_parts AS p
 CROSS JOIN LATERAL (
    SELECT id, sha256(args) AS hash
      FROM currant.executions AS e WHERE e.id BETWEEN p.first_id AND p.last_id AND e.batch = p.batch
    UNION ALL
    SELECT id, sha256(args)
      FROM currant.history AS h WHERE h.id BETWEEN p.first_id AND p.last_id AND h.batch = p.batch
 ) AS found
 WHERE p.batch = $1::bigint
 ORDER BY found.id
