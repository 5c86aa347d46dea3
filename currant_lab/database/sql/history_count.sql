-- How many have finished, by status: exactly while history has up to $1 pages, else by a sample of as many.
-- repeatable
SELECT status, round(count(*) * 100.0 / min(share.percent))::bigint AS count, bool_and(share.percent = 100) AS exact
  FROM (SELECT least(100.0, 100.0 * $1::integer / greatest(sum(pg_relation_size(relid)) / 8192, 1)) AS percent
          FROM pg_partition_tree('currant.history')) AS share
 CROSS JOIN LATERAL (SELECT h.status FROM currant.history AS h TABLESAMPLE SYSTEM (share.percent)) AS sampled
 GROUP BY status
