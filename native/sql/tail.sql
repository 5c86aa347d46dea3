-- The last place in the claim order of each queue, claimable or not: a cursor put there skips what this pool can't run.
-- $1 queues
SELECT wanted.queue, -(last.priority::integer) AS rank, last.id
  FROM unnest($1::text[]) AS wanted (queue)
 CROSS JOIN LATERAL (
    SELECT e.priority, e.id
      FROM currant.executions AS e
     WHERE e.status = 'pending' AND e.queue = wanted.queue
     ORDER BY e.queue DESC, -(e.priority::integer) DESC, e.id DESC
     LIMIT 1
 ) AS last
