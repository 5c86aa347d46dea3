-- Pool $1 has stopped by itself.
WITH gone AS (
    UPDATE currant.pools SET stopped_at = now() WHERE id = $1::integer AND stopped_at IS NULL RETURNING id
)
SELECT id, pg_notify('currant_wake', '!pools')::text FROM gone
