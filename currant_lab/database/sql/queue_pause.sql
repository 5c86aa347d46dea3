-- $1 queue. Pools see it at their next claim.
-- repeatable
INSERT INTO currant.queues AS q (name, paused_at) VALUES ($1::text, now())
    ON CONFLICT (name) DO UPDATE SET paused_at = coalesce(q.paused_at, now())
