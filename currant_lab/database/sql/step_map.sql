-- The step that is a whole map, written in the transaction that writes the map, while its run's claim holds.
-- $1 run, $2 token, $3 number, $4 kind, $5 name, $6 seen, $7 batch. Returns the run, or nothing where the claim is lost or
-- the function has given the step up meanwhile.
WITH held AS MATERIALIZED (
    SELECT e.id FROM currant.executions AS e
     WHERE e.id = $1::uuid AND e.token = $2::integer AND e.claimed_by IS NOT NULL
       FOR SHARE OF e
), begun AS (
    UPDATE currant.executions AS e SET attempt = e.attempt - e.rescues, rescues = 0, has_children = true
      FROM held AS h
     WHERE e.id = h.id AND (e.rescues > 0 OR e.has_children IS NOT TRUE)
)
INSERT INTO currant.steps (execution, number, kind, name, seen, child, last_id, batch)
SELECT h.id, $3::integer, $4::text, $5::text, $6::integer[], p.first_id, p.last_id, $7::bigint
  FROM held AS h
 CROSS JOIN (SELECT (array_agg(b.first_id ORDER BY b.first_id))[1] AS first_id,
                    (array_agg(b.last_id ORDER BY b.last_id DESC))[1] AS last_id
               FROM currant.batch_parts AS b WHERE b.batch = $7) AS p
    ON CONFLICT DO NOTHING
RETURNING execution
