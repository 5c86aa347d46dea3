-- For those who wait: how these executions ended, and, with a null status, which are still on their way.
-- One snapshot sees every execution exactly once; an id that is in neither table is unknown.
-- $1 ids, $2 the smallest, $3 the largest of them, $4 the bytes up to which a result comes along
-- repeatable
SELECT h.id, h.status, h.attempt, h.error::text AS error,
       CASE WHEN octet_length(h.result) <= $4::integer THEN h.result END AS result
  FROM currant.history AS h
 WHERE h.id = ANY ($1::uuid[]) AND h.id BETWEEN $2::uuid AND $3::uuid
UNION ALL
SELECT e.id, NULL, NULL, NULL, NULL
  FROM currant.executions AS e
 WHERE e.id = ANY ($1::uuid[]) AND e.id BETWEEN $2::uuid AND $3::uuid
