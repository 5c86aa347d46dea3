-- Now and then: forget pools that ended a week ago, and make the history's partitions for the coming weeks.
WITH old AS (
    DELETE FROM currant.pools AS p
     WHERE coalesce(p.stopped_at, p.lost_at) < now() - interval '7 days'
       AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.claimed_by = p.id AND e.status = 'running')
    RETURNING id
)
SELECT (SELECT count(*) FROM old) AS forgotten,
       (SELECT count(currant.ensure_history(now() + weeks * interval '7 days')::text)
          FROM generate_series(0, 2) AS weeks) AS weeks
