-- Write the outcomes of many executions. Final ones move to history; 'retry' goes back to pending or
-- scheduled, or ends cancelled where that was asked for meanwhile. An outcome counts only where (id, token) is
-- still running: those returned, with how they ended, are the ones that counted; all others are stale.
-- $1 ids, $2 tokens, $3 statuses, $4 results, $5 errors (JSON), $6 run times (us), $7 time since the end (us),
-- $8 retry delays (s), $9 logs, $10 source versions
WITH outcome AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bytea[], $5::text[], $6::bigint[],
                         $7::bigint[], $8::double precision[], $9::text[], $10::text[])
        AS o (id, token, status, result, error, run_us, ended_us_ago, delay, logs, source)
),
-- include ending
, again AS (
    UPDATE currant.executions AS e
       SET status = CASE WHEN o.delay > 0 THEN 'scheduled' ELSE 'pending' END,
           due_at = now() + o.delay * interval '1 second',
           claimed_by = NULL, claimed_at = NULL,
           logs = o.logs,
           attempts = coalesce(e.attempts, '[]'::jsonb) || jsonb_build_object(
               'attempt', e.attempt, 'token', e.token, 'pool', e.claimed_by,
               'started_at', now() - (o.run_us + o.ended_us_ago) * interval '1 microsecond',
               'finished_at', now() - o.ended_us_ago * interval '1 microsecond',
               'error', o.error::jsonb)
      FROM outcome AS o
     WHERE e.id = o.id AND e.token = o.token AND e.claimed_by IS NOT NULL AND o.status = 'retry' AND NOT e.cancelling
    RETURNING e.id, e.token
)
-- What goes back goes first: a run that ends cancelled here takes its steps along, which may be among these, and a
-- statement may not change a row that a function of its own has changed.
SELECT id, token, 'retry' AS status FROM again
UNION ALL
SELECT g.id, g.token, g.status FROM gone AS g CROSS JOIN (SELECT count(*) AS n FROM passed) AS p
