-- Executions, newest first. Every branch is guarded by what was asked for, so that only those run that can find
-- something, each with literals that let it use its partial index.
-- $1 status or null, $2 job or null (full name, or what follows its last colon or dot), $3 queue or null,
-- $4 ids below this, $5 how many
-- repeatable
WITH found AS (
    (SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
            CASE WHEN status = 'running' THEN claimed_at END AS started_at, NULL::timestamptz AS finished_at,
            cancelling, progress, progress_note, NULL::text AS source, NULL::jsonb AS error
       FROM currant.executions AS e
      WHERE ($1::text IS NULL OR $1 IN ('pending', 'waiting')) AND ($1 IS NULL OR status = $1)
        AND ($2::text IS NULL OR job = $2 OR right(job, length($2) + 1) IN (':' || $2, '.' || $2))
        AND ($3::text IS NULL OR queue = $3)
        AND id < $4::uuid
      ORDER BY e.id DESC LIMIT $5::integer)
    UNION ALL
    (SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
            claimed_at, NULL, cancelling, progress, progress_note, NULL, NULL
       FROM currant.executions AS e
      WHERE $1 = 'running' AND status = 'running'
        AND ($2 IS NULL OR job = $2 OR right(job, length($2) + 1) IN (':' || $2, '.' || $2))
        AND ($3 IS NULL OR queue = $3)
        AND id < $4
      ORDER BY e.id DESC LIMIT $5)
    UNION ALL
    (SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
            NULL, NULL, cancelling, progress, progress_note, NULL, NULL
       FROM currant.executions AS e
      WHERE $1 = 'scheduled' AND status = 'scheduled'
        AND ($2 IS NULL OR job = $2 OR right(job, length($2) + 1) IN (':' || $2, '.' || $2))
        AND ($3 IS NULL OR queue = $3)
        AND id < $4
      ORDER BY e.id DESC LIMIT $5)
    UNION ALL
    (SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
            started_at, finished_at, false, progress, progress_note, source, error
       FROM currant.history AS h
      WHERE ($1 IS NULL OR $1 = 'succeeded') AND ($1 IS NULL OR status = $1)
        AND ($2 IS NULL OR job = $2 OR right(job, length($2) + 1) IN (':' || $2, '.' || $2))
        AND ($3 IS NULL OR queue = $3)
        AND id < $4
      ORDER BY h.id DESC LIMIT $5)
    UNION ALL
    (SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
            started_at, finished_at, false, progress, progress_note, source, error
       FROM currant.history AS h
      WHERE $1 IN ('failed', 'cancelled') AND status <> 'succeeded' AND status = $1
        AND ($2 IS NULL OR job = $2 OR right(job, length($2) + 1) IN (':' || $2, '.' || $2))
        AND ($3 IS NULL OR queue = $3)
        AND id < $4
      ORDER BY h.id DESC LIMIT $5)
)
SELECT id, job, queue, priority, status, attempt, retries, rescues, claimed_by, batch, created_at, due_at,
       started_at, finished_at, cancelling, progress, progress_note, source, error::text AS error,
       NULL::text AS attempts, NULL::text AS logs
  FROM found ORDER BY id DESC LIMIT $5
