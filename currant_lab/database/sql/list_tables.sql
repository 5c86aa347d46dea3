-- The tables and partitions: rows (estimated), dead rows, bytes with indexes, and what a partition holds. $1 schema
-- repeatable
SELECT c.relname::text AS name, greatest(c.reltuples, 0)::bigint AS rows, coalesce(s.n_dead_tup, 0) AS dead,
       pg_total_relation_size(c.oid) AS bytes,
       extract(epoch FROM now() - greatest(s.last_autovacuum, s.last_vacuum))::double precision AS vacuumed_s,
       c.relispartition AS is_partition
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
 WHERE n.nspname = $1::text AND c.relkind = 'r'
 ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 200
