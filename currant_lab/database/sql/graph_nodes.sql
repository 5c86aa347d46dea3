-- The executions tied to one, and those tied to them, and so on: nearest first. A batch that somebody waits for as a whole
-- is one row, with the ids it goes from and to. $1 id, $2 how many at most
-- repeatable
WITH RECURSIVE tied (id, batch, last_id) AS (
    SELECT $1::uuid, NULL::bigint, NULL::uuid
    UNION
    SELECT n.id, n.batch, n.last_id
      FROM tied AS t
     CROSS JOIN LATERAL (
        SELECT d.parent AS id, NULL::bigint AS batch, NULL::uuid AS last_id
          FROM currant.dependencies AS d WHERE t.batch IS NULL AND d.child = t.id
        UNION ALL
        SELECT d.child, NULL, NULL FROM currant.dependencies AS d WHERE t.batch IS NULL AND d.parent = t.id
        UNION ALL
        SELECT d.first_id, d.batch, d.last_id
          FROM currant.batch_dependencies AS d WHERE t.batch IS NULL AND d.child = t.id
        UNION ALL   -- the batch that it belongs to
        SELECT d.first_id, d.batch, d.last_id
          FROM currant.all_executions AS e
          JOIN currant.batch_dependencies AS d ON d.batch = e.batch AND t.id BETWEEN d.first_id AND d.last_id
         WHERE t.batch IS NULL AND e.id = t.id
        UNION ALL
        SELECT d.child, NULL, NULL
          FROM currant.batch_dependencies AS d WHERE d.batch = t.batch AND d.first_id = t.id AND d.last_id = t.last_id
        UNION ALL   -- what its executions wait for
        SELECT d.parent, NULL, NULL
          FROM currant.dependencies AS d
          JOIN currant.all_executions AS e ON e.id = d.child AND e.batch = t.batch
         WHERE t.batch IS NOT NULL AND d.child BETWEEN t.id AND t.last_id
        UNION ALL
        SELECT d.first_id, d.batch, d.last_id
          FROM currant.batch_dependencies AS d
          JOIN currant.all_executions AS e ON e.id = d.child AND e.batch = t.batch
         WHERE t.batch IS NOT NULL AND d.child BETWEEN t.id AND t.last_id
        UNION ALL   -- what waits for one of its executions alone
        SELECT d.child, NULL, NULL
          FROM currant.dependencies AS d
          JOIN currant.all_executions AS e ON e.id = d.parent AND e.batch = t.batch
         WHERE t.batch IS NOT NULL AND d.parent BETWEEN t.id AND t.last_id
     ) AS n
)
SELECT id, batch, last_id FROM tied LIMIT $2::integer
