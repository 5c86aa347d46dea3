-- repeatable
-- How many had ended by when: up to 200 points. $1 the first id, $2 the last.
WITH span AS (
    SELECT min(created_at) AS begun, greatest(max(finished_at) - min(created_at), interval '1 ms') AS length
      FROM currant.history WHERE id BETWEEN $1::uuid AND $2::uuid
), slice AS (
    SELECT ceil(extract(epoch FROM h.finished_at - span.begun) / extract(epoch FROM span.length) * 200) AS n,
           count(*) AS many, max(extract(epoch FROM h.finished_at - span.begun))::float8 AS seconds
      FROM currant.history AS h CROSS JOIN span
     WHERE h.id BETWEEN $1::uuid AND $2::uuid
     GROUP BY 1
)
SELECT seconds, (sum(many) OVER (ORDER BY n))::bigint AS settled FROM slice ORDER BY n
