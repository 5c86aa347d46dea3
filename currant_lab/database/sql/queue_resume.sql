-- $1 queue. Whether it was paused.
WITH resumed AS (
    UPDATE currant.queues SET paused_at = NULL WHERE name = $1::text AND paused_at IS NOT NULL RETURNING name
)
SELECT pg_notify('currant_wake', '+' || name) FROM resumed
