-- Forget the batches older than $1 of which nothing is left. Returns how many.
WITH empty AS (
    DELETE FROM currant.batches AS b
     WHERE b.created_at < $1::timestamptz
       AND NOT EXISTS (
            SELECT FROM currant.batch_parts AS p
             WHERE p.batch = b.id
               AND (EXISTS (SELECT FROM currant.executions AS e
                             WHERE e.id BETWEEN p.first_id AND p.last_id AND e.batch = p.batch)
                 OR EXISTS (SELECT FROM currant.history AS h
                             WHERE h.id BETWEEN p.first_id AND p.last_id AND h.batch = p.batch)))
    RETURNING b.id
)
SELECT (SELECT count(*) FROM empty), currant.prune_ties($1)
