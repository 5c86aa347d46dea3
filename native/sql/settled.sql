-- Which of these outcomes are in the books already: asked when the answer to a settle was lost and its repetition
-- found nothing. A rescue writes under the same token, so it is told apart by its error.
-- $1 ids, $2 tokens, $3 statuses
SELECT o.id, o.token, coalesce(h.status, 'retry') AS status
  FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS o (id, token, status)
  LEFT JOIN currant.history AS h ON h.id = o.id
  LEFT JOIN currant.executions AS e ON e.id = o.id
 WHERE (h.token = o.token AND h.status = CASE WHEN o.status = 'retry' THEN 'cancelled' ELSE o.status END
        AND h.error ->> 'type' IS DISTINCT FROM 'PoolLost')
    OR (o.status = 'retry'
        AND coalesce(e.attempts, h.attempts) @> jsonb_build_array(jsonb_build_object('token', o.token)))
