-- The $1 newest batches. What is left of each is counted up to $2; beyond, `exact` is false.
-- repeatable
SELECT b.id, b.name, b.job, b.size, extract(epoch FROM b.created_at)::double precision AS created_at,
       extract(epoch FROM now() - b.created_at)::double precision AS age_s,
       hot.running, hot.waiting, ended.failed, ended.cancelled, hot.running + hot.waiting < $2::integer AS exact
  FROM (SELECT * FROM currant.batches ORDER BY id DESC LIMIT $1::integer) AS b
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'running') AS running, count(*) FILTER (WHERE status <> 'running') AS waiting
      FROM (SELECT e.status FROM currant.batch_parts AS p
              JOIN currant.executions AS e ON e.id BETWEEN p.first_id AND p.last_id AND e.batch = p.batch
             WHERE p.batch = b.id LIMIT $2) AS few) AS hot
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'cancelled') AS cancelled
      FROM (SELECT h.status FROM currant.batch_parts AS p
             CROSS JOIN (VALUES ('failed'), ('cancelled')) AS s (status)
              JOIN currant.history AS h ON h.status = s.status AND h.status <> 'succeeded'
                   AND h.id BETWEEN p.first_id AND p.last_id AND h.batch = p.batch
             WHERE p.batch = b.id LIMIT $2) AS few) AS ended
 ORDER BY b.id DESC
