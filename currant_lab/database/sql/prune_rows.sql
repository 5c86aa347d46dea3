-- Delete some finished executions that are older than $1, oldest first, after the id $2, at most $3 of them; those whose
-- result is needed stay. Returns how many were deleted, and the last id looked at.
WITH old AS MATERIALIZED (
    SELECT id, batch FROM currant.history
     WHERE id > $2::uuid AND id < currant.first_id($1::timestamptz) AND finished_at < $1
     ORDER BY id LIMIT $3::integer
), gone AS (
    DELETE FROM currant.history AS h USING old
     WHERE h.id = old.id AND NOT currant.is_needed(old.id, old.batch)
    RETURNING h.id
)
SELECT (SELECT count(*) FROM gone) AS deleted, (SELECT id FROM old ORDER BY id DESC LIMIT 1) AS last
