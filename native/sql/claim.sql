-- Claim up to limits[i] pending executions from queues[i], highest priority first, then oldest, starting
-- after the cursor (ranks[i] = -priority, after[i]). $1 queues, $2 ranks, $3 after, $4 limits,
-- $5 names of the jobs this pool knows, $6 pool, $7 take those on their last chance as well: the next loss of a pool
-- would end them, so they are run alone (see rescue.sql for the limit; null retries make the comparison null, which is no).
-- Counters stop at the type's end: a forged row at the limit must not fail the claim of all the others.
-- MATERIALIZED is the fence that keeps the LIMIT; 'pending' is a literal so that the partial index is seen; the update
-- goes by ctid alone, of rows that are locked already: with the status beside it, a plan made while the table was empty
-- walked the whole partial index (127 ms a claim with 50,000 waiting, instead of 4).
WITH next AS MATERIALIZED (
    SELECT found.place
      FROM unnest($1::text[], $2::integer[], $3::uuid[], $4::integer[]) AS wanted (queue, rank, after, n)
     CROSS JOIN LATERAL (
        SELECT e.ctid AS place
          FROM currant.executions AS e
         WHERE e.status = 'pending'
           AND e.queue = wanted.queue
           AND (-(e.priority::integer), e.id) > (wanted.rank, wanted.after)
           AND e.job = ANY ($5::text[])
           AND ($7::boolean OR e.rescues < 3 OR e.rescues < e.retries)
           AND NOT EXISTS (SELECT FROM currant.queues AS q WHERE q.name = wanted.queue AND q.paused_at IS NOT NULL)
         ORDER BY e.queue, -(e.priority::integer), e.id
         LIMIT wanted.n
           FOR UPDATE OF e SKIP LOCKED
     ) AS found
)
UPDATE currant.executions AS e
   SET status = 'running', attempt = least(e.attempt, 2147483646) + 1,
       token = least(e.token, 2147483646) + 1,
       claimed_by = $6::integer, claimed_at = now()
 WHERE e.ctid = ANY (ARRAY(SELECT place FROM next))
RETURNING e.id, e.job, e.queue, e.priority, e.attempt, e.token, e.rescues, e.retries, e.batch,
          e.created_at, e.due_at, e.claimed_at, e.options::text AS options, e.args
