-- For those who wait: how these executions ended. Those that are missing are on their way, or unknown.
-- $1 ids, $2 the smallest, $3 the largest of them, $4 the bytes up to which a result comes along
-- repeatable
SELECT h.id, h.status, h.attempt, h.error::text AS error,
       CASE WHEN octet_length(h.result) <= $4::integer THEN h.result END AS result
  FROM currant.history AS h
 WHERE h.id = ANY ($1::uuid[]) AND h.id BETWEEN $2::uuid AND $3::uuid
