-- Renew the lease, and see in the same statement how everybody else is: one row.
-- A lock found free is remembered (suspect_since) and forgotten when it is held again.
-- $1 pool, $2 lock key, $3 host, $4 boot id, $5 jobs, $6 workers, $7 queues, $8 has a lock,
-- $9 how far back to look for claims that pools left behind (s), $10 look for pending work too
WITH renewed AS (
    UPDATE currant.pools
       SET seen_at = now(), suspect_since = NULL, jobs = $5::text[], workers = $6::integer, has_lock = $8::boolean
     WHERE id = $1::integer AND stopped_at IS NULL AND lost_at IS NULL
    RETURNING id
), held AS MATERIALIZED (
    SELECT l.objid::bigint AS pool
      FROM pg_locks AS l
     WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid::bigint = $2::integer
       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
), other AS MATERIALIZED (
    SELECT p.id, p.pid, p.pid_started, p.host = $3::text AND p.boot_id = $4::text AS here, p.has_lock,
           p.id IN (SELECT pool FROM held) AS held,
           extract(epoch FROM now() - p.seen_at)::double precision AS age,
           extract(epoch FROM now() - p.suspect_since)::double precision AS suspected
      FROM currant.pools AS p
     WHERE p.id <> $1::integer AND p.stopped_at IS NULL AND p.lost_at IS NULL
), changed AS MATERIALIZED (
    SELECT p.id, o.held
      FROM currant.pools AS p JOIN other AS o ON o.id = p.id
     WHERE o.has_lock AND o.held = (p.suspect_since IS NOT NULL)
       FOR UPDATE OF p SKIP LOCKED
), cancelling AS MATERIALIZED (
    -- Sorted outside: an ORDER BY id in here tempted a plan to read the whole key index instead.
    SELECT e.id, e.token FROM currant.executions AS e WHERE e.claimed_by = $1::integer AND e.cancelling
), marked AS (
    UPDATE currant.pools AS p SET suspect_since = CASE WHEN c.held THEN NULL ELSE now() END
      FROM changed AS c WHERE p.id = c.id
)
SELECT EXISTS (SELECT FROM renewed) AS renewed,
       (SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM other) AS ids,
       (SELECT coalesce(array_agg(pid ORDER BY id), '{}') FROM other) AS pids,
       (SELECT coalesce(array_agg(pid_started ORDER BY id), '{}') FROM other) AS pids_started,
       (SELECT coalesce(array_agg(here ORDER BY id), '{}') FROM other) AS here,
       (SELECT coalesce(array_agg(has_lock ORDER BY id), '{}') FROM other) AS has_lock,
       (SELECT coalesce(array_agg(held ORDER BY id), '{}') FROM other) AS held,
       (SELECT coalesce(array_agg(age ORDER BY id), '{}') FROM other) AS ages,
       (SELECT coalesce(array_agg(suspected ORDER BY id), '{}') FROM other) AS suspected,
       -- A dead process's last claim may have ended after the sweep that rescued the others.
       ARRAY(SELECT p.id FROM currant.pools AS p
              WHERE coalesce(p.lost_at, p.stopped_at) > now() - $9::double precision * interval '1 second'
                AND EXISTS (SELECT FROM currant.executions AS e
                             WHERE e.claimed_by = p.id AND e.status = 'running')) AS leftover,
       ARRAY(SELECT id FROM cancelling ORDER BY id) AS cancelling_ids,
       ARRAY(SELECT token FROM cancelling ORDER BY id) AS cancelling_tokens,
       (SELECT extract(epoch FROM e.due_at - now())::double precision
          FROM currant.executions AS e WHERE e.status = 'scheduled' ORDER BY e.due_at LIMIT 1) AS due_in,
       -- The poll: whether a claim might bring something. Bounded: 100 unknown jobs in front count as "might".
       $10::boolean AND EXISTS (
           SELECT FROM unnest($7::text[]) AS wanted (queue)
            CROSS JOIN LATERAL (
               SELECT bool_or(front.job = ANY ($5::text[])) OR count(*) = 100 AS claimable
                 FROM (SELECT e.job FROM currant.executions AS e
                        WHERE e.status = 'pending' AND e.queue = wanted.queue
                        LIMIT 100) AS front
            ) AS look
            WHERE look.claimable
              AND NOT EXISTS (SELECT FROM currant.queues AS q
                               WHERE q.name = wanted.queue AND q.paused_at IS NOT NULL)
       ) AS pending
