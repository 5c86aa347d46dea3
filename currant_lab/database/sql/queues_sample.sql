-- The same by a sample of about $1 pages of the table: within a few percent, at the same cost however many there are.
-- repeatable
SELECT queue, status, round(count(*) * 100.0 / min(share.percent))::bigint AS count
  FROM (SELECT least(100.0, 100.0 * $1::integer / greatest(pg_relation_size('currant.executions') / 8192, 1))
            AS percent) AS share
 CROSS JOIN LATERAL (
    SELECT e.queue, e.status FROM currant.executions AS e TABLESAMPLE SYSTEM (share.percent)
 ) AS sampled
 WHERE status IN ('pending', 'scheduled')
 GROUP BY queue, status
