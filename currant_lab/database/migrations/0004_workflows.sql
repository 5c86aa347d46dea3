-- Durable functions. A run of a workflow is an execution whose function is called again after it was put away or its
-- process died; each step it has begun is on record here, in the order in which it was begun, and answers at once.
--
-- A run that is put away is `waiting`, or `scheduled` where a moment brings it back too. Whatever it awaits (the end of
-- an execution, of a whole map, a signal, a moment) makes it `pending` again; nothing polls.

CREATE TABLE currant.steps (
    execution uuid        NOT NULL,           -- the run
    number    integer     NOT NULL,           -- from 1, in the order of their begin
    kind      text        NOT NULL CHECK (kind IN ('run', 'map', 'submit', 'result', 'call', 'event', 'sleep',
                                                   'now', 'random', 'uuid', 'patched')),
    name      text        NOT NULL,           -- of the job, the function, the event
    seen      integer[]   NOT NULL DEFAULT '{}', -- steps whose end the function saw between the begin of the step before
                                              -- and of this one, in that order: what a replay repeats
    child     uuid,                           -- the execution it began or awaits; the first of a map
    last_id   uuid,                           -- of a map
    batch     bigint,                         -- of a map
    began_at  timestamptz NOT NULL DEFAULT now(),
    due_at    timestamptz,                    -- the end of a sleep, the latest of an event
    ended_at  timestamptz,                    -- null for what ends with its executions
    result    bytea,
    error     jsonb,
    PRIMARY KEY (execution, number)
);
CREATE INDEX steps_child ON currant.steps (child) WHERE child IS NOT NULL;   -- for what is pruned, and is it needed?
CREATE INDEX steps_batch ON currant.steps (batch) WHERE batch IS NOT NULL;

CREATE TABLE currant.signals (
    execution uuid        NOT NULL,
    name      text        NOT NULL,
    value     bytea       NOT NULL,
    sent_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (execution, name)
);

-- What brings a run back that is put away: the end of a child, or of all executions of a map.
CREATE TABLE currant.awaited (
    child uuid NOT NULL,
    run   uuid NOT NULL,
    PRIMARY KEY (child, run)
);
CREATE INDEX awaited_run ON currant.awaited (run);

CREATE TABLE currant.awaited_batches (
    batch    bigint NOT NULL,
    run      uuid   NOT NULL,
    first_id uuid   NOT NULL,
    last_id  uuid   NOT NULL,
    PRIMARY KEY (batch, run, first_id)
);
CREATE INDEX awaited_batches_run ON currant.awaited_batches (run);

CREATE OR REPLACE FUNCTION currant.is_awaited(wanted bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('currant.batch', wanted));
    RETURN EXISTS (SELECT FROM currant.batch_dependencies AS d WHERE d.batch = wanted)
        OR EXISTS (SELECT FROM currant.awaited_batches AS a WHERE a.batch = wanted);
END
$$;

-- Whether all executions of a map have ended.
CREATE FUNCTION currant.is_over(wanted bigint, first_id uuid, last_id uuid) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id BETWEEN $2 AND $3 AND e.batch = $1)
$$;

-- Runs that are put away, and await the end of one of these executions ($1, $2 their batches): they go on.
CREATE FUNCTION currant.bring_back(parents uuid[], batches bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    runs  uuid[];
    many  uuid[];
    ready text[];
BEGIN
    SELECT array_agg(DISTINCT a.run) INTO runs FROM currant.awaited AS a WHERE a.child = ANY (parents);
    SELECT array_agg(DISTINCT a.run) INTO many
      FROM unnest(parents, batches) AS p (id, batch)
      JOIN currant.awaited_batches AS a ON a.batch = p.batch AND p.id BETWEEN a.first_id AND a.last_id;
    IF runs IS NULL AND many IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM currant.executions AS e WHERE e.id = ANY (runs || many) ORDER BY e.id FOR UPDATE;
    WITH back AS (
        UPDATE currant.executions AS e SET status = 'pending', due_at = NULL
         WHERE e.id = ANY (runs || many) AND e.status IN ('waiting', 'scheduled') AND coalesce(e.waits_for, 0) = 0
           AND (e.id = ANY (runs) OR EXISTS (
                SELECT FROM currant.awaited_batches AS a
                 WHERE a.run = e.id AND currant.is_over(a.batch, a.first_id, a.last_id)))
        RETURNING e.queue
    )
    SELECT array_agg(DISTINCT b.queue) INTO ready FROM back AS b;
    -- These have come back, now or by a signal; or they were cancelled while they were away.
    SELECT array_agg(u.id) INTO runs FROM unnest(runs || many) AS u (id)
     WHERE NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = u.id AND e.status IN ('waiting', 'scheduled'));
    DELETE FROM currant.awaited AS a WHERE a.run = ANY (runs);
    DELETE FROM currant.awaited_batches AS a WHERE a.run = ANY (runs);
    PERFORM currant.wake(ready, false);
END
$$;

-- Put runs away whose functions wait for some of their steps (`open_steps`, an array of numbers as text for each run). A
-- run comes back at once where one of these has ended by now. `fences` are the tokens of the claims, `texts` what they
-- have printed. Returns the status of each; those whose claim is another's by now are left out, and those whose row is
-- held by somebody just now are `locked`: to be asked for again. Nobody waits for the row of a run here: runs of another
-- pool that await these may be on their way in the same manner.
CREATE FUNCTION currant.put_away(runs uuid[], fences integer[], open_steps text[], texts text[])
RETURNS TABLE (run uuid, status text)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    single   uuid[];
    batches  bigint[];
    flagged  text[];
    held     uuid[];
    are_back boolean[];
    moments  timestamptz[];
    printed  text[];
    doomed   uuid[];
    ready    text[];
    is_later boolean;
BEGIN
    SELECT array_agg(DISTINCT s.child) FILTER (WHERE s.child IS NOT NULL AND s.batch IS NULL),
           array_agg(DISTINCT s.batch) FILTER (WHERE s.batch IS NOT NULL)
      INTO single, batches
      FROM unnest(runs, open_steps) AS r (id, open)
      JOIN currant.steps AS s ON s.execution = r.id AND s.number = ANY (r.open::integer[]);
    -- The locks go as everywhere: rows of what is waited for, batches, the rows of the runs.
    PERFORM FROM currant.executions AS e WHERE e.id = ANY (single) ORDER BY e.id FOR NO KEY UPDATE;
    WITH marked AS (
        UPDATE currant.executions AS e SET has_children = true
         WHERE e.id = ANY (single) AND e.has_children IS NOT TRUE
        RETURNING e.queue, e.status
    )
    SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending') INTO flagged FROM marked AS m;
    PERFORM currant.wake(flagged, false);  -- a claim passes locked rows by
    PERFORM pg_advisory_xact_lock(hashtextextended('currant.batch', b.batch))
       FROM (SELECT u.batch FROM unnest(batches) AS u (batch) ORDER BY 1) AS b;
    SELECT array_agg(f.id) INTO held FROM (
        SELECT e.id
          FROM unnest(runs, fences) AS r (id, fence)
          JOIN currant.executions AS e ON e.id = r.id AND e.token = r.fence AND e.claimed_by IS NOT NULL
           FOR UPDATE OF e SKIP LOCKED
    ) AS f;

    SELECT array_agg(c.id), array_agg(c.is_back), array_agg(c.moment), array_agg(c.text)
      INTO held, are_back, moments, printed
      FROM (
        SELECT r.id, min(r.text) AS text, min(s.due_at) AS moment,
               bool_or(s.number IS NULL
                   OR (s.child IS NOT NULL AND s.batch IS NULL
                       AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = s.child))
                   OR (s.batch IS NOT NULL AND currant.is_over(s.batch, s.child, s.last_id))
                   OR (s.kind = 'event' AND EXISTS (SELECT FROM currant.signals AS g
                                                     WHERE g.execution = s.execution AND g.name = s.name))
                   OR coalesce(s.due_at <= clock_timestamp(), false)) AS is_back
          FROM unnest(runs, open_steps, texts) AS r (id, open, text)
          LEFT JOIN currant.steps AS s ON s.execution = r.id AND s.number = ANY (r.open::integer[])
         WHERE r.id = ANY (held)
         GROUP BY r.id
    ) AS c;
    DELETE FROM currant.awaited AS a WHERE a.run = ANY (held);
    DELETE FROM currant.awaited_batches AS a WHERE a.run = ANY (held);
    INSERT INTO currant.awaited (child, run)
    SELECT DISTINCT s.child, s.execution
      FROM unnest(runs, open_steps) AS r (id, open)
      JOIN currant.steps AS s ON s.execution = r.id AND s.number = ANY (r.open::integer[])
     WHERE s.child IS NOT NULL AND s.batch IS NULL
       AND r.id = ANY (ARRAY(SELECT h.id FROM unnest(held, are_back) AS h (id, is_back) WHERE NOT h.is_back));
    INSERT INTO currant.awaited_batches (batch, run, first_id, last_id)
    SELECT DISTINCT s.batch, s.execution, s.child, s.last_id
      FROM unnest(runs, open_steps) AS r (id, open)
      JOIN currant.steps AS s ON s.execution = r.id AND s.number = ANY (r.open::integer[])
     WHERE s.batch IS NOT NULL
       AND r.id = ANY (ARRAY(SELECT h.id FROM unnest(held, are_back) AS h (id, is_back) WHERE NOT h.is_back));

    SELECT array_agg(e.id) INTO doomed FROM currant.executions AS e WHERE e.id = ANY (held) AND e.cancelling;
    WITH moved AS (
        UPDATE currant.executions AS e
           SET status = CASE WHEN h.is_back THEN 'pending' WHEN h.moment IS NOT NULL THEN 'scheduled'
                             ELSE 'waiting' END,
               due_at = CASE WHEN h.is_back THEN NULL ELSE h.moment END,
               attempt = e.attempt - 1, claimed_by = NULL, claimed_at = NULL, waits_for = NULL, cancelling = false,
               logs = h.text
          FROM unnest(held, are_back, moments, printed) AS h (id, is_back, moment, text)
         WHERE e.id = h.id
        RETURNING e.queue, e.status
    )
    SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending'), bool_or(m.status = 'scheduled')
      INTO ready, is_later FROM moved AS m;
    IF doomed IS NOT NULL THEN
        PERFORM FROM currant.cancel(doomed);
    END IF;
    PERFORM currant.wake(ready, is_later);
    RETURN QUERY
    SELECT h.id, coalesce(e.status, 'cancelled')
      FROM unnest(held) AS h (id) LEFT JOIN currant.executions AS e ON e.id = h.id
    UNION ALL
    SELECT e.id, 'locked'
      FROM unnest(runs, fences) AS r (id, fence)
      JOIN currant.executions AS e ON e.id = r.id AND e.token = r.fence AND e.claimed_by IS NOT NULL
     WHERE e.id <> ALL (coalesce(held, '{}'));
END
$$;

-- Cancel: what hasn't started ends here, what runs is asked to end, and its pool is told.
-- Rows are locked in order first: two who cancel at once can't deadlock, and a claim that was under way is seen.
-- Returns the status each of those found had.
CREATE FUNCTION currant.cancel(ids uuid[]) RETURNS TABLE (id uuid, status text)
LANGUAGE sql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
    WITH found AS MATERIALIZED (
        SELECT e.id, e.status FROM currant.executions AS e WHERE e.id = ANY ($1) ORDER BY e.id FOR UPDATE
    ), gone AS (
        DELETE FROM currant.executions AS e USING found AS f
         WHERE e.id = f.id AND f.status IN ('scheduled', 'waiting', 'pending')
        RETURNING e.*
    ), done AS (
        INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by,
                  batch, created_at, due_at, claimed_at, started_at, finished_at, progress, progress_note,
                  options, source, args, result, error, attempts, logs)
        SELECT g.id, g.job, g.queue, g.priority, 'cancelled', g.attempt, g.token, g.rescues, g.retries, g.claimed_by,
               g.batch, g.created_at, g.due_at, g.claimed_at, NULL, now(), g.progress, g.progress_note,
               g.options, NULL, g.args, NULL, NULL, g.attempts, g.logs
          FROM gone AS g
        RETURNING 1
    ), tied AS MATERIALIZED (
        SELECT bool_or(g.has_children) AS alone, min(g.batch) AS first, max(g.batch) AS last FROM gone AS g
    ), passed AS MATERIALIZED (   -- those that wait for what has ended are moved on, in the same statement
        SELECT currant.pass_on(array_agg(g.id), array_agg('cancelled'::text), array_agg(g.batch)) AS cancelled
          FROM tied CROSS JOIN (SELECT count(*) AS n FROM done) AS written CROSS JOIN gone AS g
         WHERE written.n > 0 AND (tied.alone OR tied.first <> tied.last OR currant.is_awaited(tied.first))
        HAVING count(*) > 0
    ), asked AS (
        UPDATE currant.executions AS e SET cancelling = true FROM found AS f
         WHERE e.id = f.id AND f.status = 'running' AND NOT e.cancelling
        RETURNING e.claimed_by
    ), told AS (
        SELECT pg_notify('currant_wake', '!cancel ' || p.claimed_by) FROM (SELECT DISTINCT claimed_by FROM asked) AS p
    )
    -- Selected, because a CTE that nobody reads doesn't run.
    SELECT f.id, f.status FROM found AS f CROSS JOIN (SELECT count(*) AS pools FROM told) AS t
    UNION ALL
    SELECT unnest(p.cancelled), 'waiting' FROM passed AS p
$$;

-- The children of runs that were cancelled: what they have begun and has not ended is cancelled too. What is older than
-- a run was begun by the one that it was forked from.
CREATE FUNCTION currant.cancel_steps(runs uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    children uuid[];
BEGIN
    SELECT array_agg(c.id) INTO children FROM (
        SELECT s.child AS id FROM currant.steps AS s
          JOIN currant.history AS h ON h.id = s.execution AND s.began_at >= h.created_at
         WHERE s.execution = ANY (runs) AND s.kind IN ('run', 'submit') AND s.batch IS NULL AND s.child IS NOT NULL
           AND EXISTS (SELECT FROM currant.executions AS e WHERE e.id = s.child)
        UNION ALL
        SELECT e.id FROM currant.steps AS s
          JOIN currant.history AS h ON h.id = s.execution AND s.began_at >= h.created_at
          JOIN currant.executions AS e ON e.id BETWEEN s.child AND s.last_id AND e.batch = s.batch
         WHERE s.execution = ANY (runs) AND s.kind IN ('map', 'submit') AND s.batch IS NOT NULL
    ) AS c;
    IF children IS NOT NULL THEN
        PERFORM FROM currant.cancel(children);
    END IF;
END
$$;

-- As before, and: runs that await what has ended go on, and the children of cancelled runs are cancelled.
CREATE OR REPLACE FUNCTION currant.pass_on(parents uuid[], statuses text[], batches bigint[]) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    freed    uuid[];
    counts   bigint[];
    doomed   uuid[];
    culprits uuid[];
    ready    text[];
    is_later boolean;
BEGIN
    PERFORM currant.is_awaited(b.batch)
       FROM (SELECT DISTINCT u.batch FROM unnest(batches) AS u (batch) WHERE u.batch IS NOT NULL ORDER BY 1) AS b;
    SELECT array_agg(c.child ORDER BY c.child), array_agg(c.n ORDER BY c.child) INTO freed, counts
      FROM (SELECT x.child, count(*) AS n
              FROM (SELECT array_agg(p.id) AS ids, array_agg(p.batch) AS batches
                      FROM unnest(parents, statuses, batches) AS p (id, status, batch)
                     WHERE p.status = 'succeeded') AS good
             CROSS JOIN LATERAL currant.children_of(good.ids, good.batches) AS x
             GROUP BY x.child) AS c;
    IF freed IS NOT NULL THEN
        PERFORM FROM currant.executions AS e WHERE e.id = ANY (freed) ORDER BY e.id FOR UPDATE;
        WITH moved AS (
            UPDATE currant.executions AS e
               SET waits_for = e.waits_for - f.n,
                   status = CASE WHEN e.waits_for > f.n THEN 'waiting' WHEN e.due_at > now() THEN 'scheduled'
                                 ELSE 'pending' END
              FROM unnest(freed, counts) AS f (id, n)
             WHERE e.id = f.id AND e.status = 'waiting' AND e.waits_for > 0
            RETURNING e.queue, e.status
        )
        SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending'), bool_or(m.status = 'scheduled')
          INTO ready, is_later FROM moved AS m;
        PERFORM currant.wake(ready, is_later);
    END IF;
    PERFORM currant.bring_back(parents, batches);
    IF 'cancelled' = ANY (statuses) THEN
        PERFORM currant.cancel_steps(ARRAY(SELECT p.id FROM unnest(parents, statuses) AS p (id, status)
                                            WHERE p.status = 'cancelled'));
    END IF;
    SELECT array_agg(c.child), array_agg(c.parent) INTO doomed, culprits
      FROM (SELECT DISTINCT ON (x.child) x.child, x.parent
              FROM (SELECT array_agg(p.id) AS ids, array_agg(p.batch) AS batches
                      FROM unnest(parents, statuses, batches) AS p (id, status, batch)
                     WHERE p.status <> 'succeeded') AS bad
             CROSS JOIN LATERAL currant.children_of(bad.ids, bad.batches) AS x
             ORDER BY x.child, x.parent) AS c;
    RETURN CASE WHEN doomed IS NULL THEN '{}' ELSE currant.cancel_children(doomed, culprits) END;
END
$$;

-- As before, and: runs that await what is cancelled here go on.
CREATE OR REPLACE FUNCTION currant.cancel_children(children uuid[], culprits uuid[]) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    doomed  uuid[] := children;
    blamed  uuid[] := culprits;
    ended   uuid[];
    batches bigint[];
    total   uuid[] := '{}';
BEGIN
    WHILE cardinality(doomed) > 0 LOOP
        PERFORM FROM currant.executions AS e WHERE e.id = ANY (doomed) ORDER BY e.id FOR UPDATE;
        WITH lost AS MATERIALIZED (
            SELECT c.child, currant.reason_of(h) AS reason
              FROM unnest(doomed, blamed) AS c (child, culprit)
              JOIN currant.history AS h ON h.id = c.culprit
        ), gone AS (
            DELETE FROM currant.executions AS e USING lost AS l
             WHERE e.id = l.child AND e.status = 'waiting'  -- for these, not for steps of its own
               AND (e.waits_for IS NOT NULL OR NOT EXISTS (SELECT FROM currant.steps AS s WHERE s.execution = e.id))
            RETURNING e.*, l.reason
        ), written AS (
            INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, retries, batch,
                      created_at, due_at, finished_at, options, args, error, attempts, logs)
            SELECT g.id, g.job, g.queue, g.priority, 'cancelled', g.attempt, g.token, g.rescues, g.retries, g.batch,
                   g.created_at, g.due_at, now(), g.options, g.args,
                   jsonb_build_object('type', 'ParentFailed', 'message', g.reason), g.attempts, g.logs
              FROM gone AS g
            RETURNING id, batch
        )
        SELECT coalesce(array_agg(w.id), '{}'), coalesce(array_agg(w.batch), '{}') INTO ended, batches
          FROM written AS w;
        total := total || ended;
        PERFORM currant.is_awaited(b.batch)
           FROM (SELECT DISTINCT u.batch FROM unnest(batches) AS u (batch) WHERE u.batch IS NOT NULL ORDER BY 1) AS b;
        PERFORM currant.bring_back(ended, batches);
        SELECT coalesce(array_agg(c.child), '{}'), coalesce(array_agg(c.parent), '{}') INTO doomed, blamed
          FROM (SELECT DISTINCT ON (x.child) x.child, x.parent
                  FROM currant.children_of(ended, batches) AS x ORDER BY x.child, x.parent) AS c;
    END LOOP;
    RETURN total;
END
$$;

-- Send a signal to a run: $3 an encoded payload (see values.py). Returns 'taken'; 'known' where it has one of that name,
-- which stays; 'ended' or 'unknown' where there is nobody to take it.
CREATE FUNCTION currant.send_signal(run uuid, event text, payload bytea) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    home text;
BEGIN
    IF coalesce(event, '') = '' OR length(event) > 200 THEN
        RAISE EXCEPTION 'the name of a signal has 1 to 200 characters';
    END IF;
    PERFORM FROM currant.executions AS e WHERE e.id = run FOR UPDATE;
    IF NOT FOUND THEN
        RETURN CASE WHEN EXISTS (SELECT FROM currant.history AS h WHERE h.id = run) THEN 'ended' ELSE 'unknown' END;
    END IF;
    INSERT INTO currant.signals AS g (execution, name, value) VALUES (run, event, payload) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 'known';
    END IF;
    UPDATE currant.executions AS e SET status = 'pending', due_at = NULL
     WHERE e.id = run AND e.status IN ('waiting', 'scheduled') AND coalesce(e.waits_for, 0) = 0
       AND EXISTS (SELECT FROM currant.steps AS s
                    WHERE s.execution = run AND s.kind = 'event' AND s.name = event AND s.ended_at IS NULL)
    RETURNING e.queue INTO home;
    PERFORM currant.wake(CASE WHEN home IS NOT NULL THEN ARRAY[home] END, false);
    RETURN 'taken';
END
$$;

-- The same for any client.
CREATE FUNCTION currant.signal(run uuid, event text, value jsonb DEFAULT 'true') RETURNS text
LANGUAGE sql VOLATILE AS $$ SELECT currant.send_signal($1, $2, convert_to($3::text, 'UTF8')) $$;

-- The event that a step awaits: ended by its signal, or at its latest moment. Returns whether it has, with what, and the
-- seconds that are left.
CREATE FUNCTION currant.settle_event(run uuid, step integer)
RETURNS TABLE (is_over boolean, value bytea, seconds_left double precision)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN QUERY UPDATE currant.steps AS s
       SET ended_at = now(), result = (SELECT g.value FROM currant.signals AS g WHERE g.execution = run AND g.name = s.name)
     WHERE s.execution = run AND s.number = step AND s.ended_at IS NULL
       AND (s.due_at <= clock_timestamp()
            OR EXISTS (SELECT FROM currant.signals AS g WHERE g.execution = run AND g.name = s.name))
    RETURNING true, s.result, 0.0::double precision;
    IF NOT FOUND THEN
        RETURN QUERY SELECT s.ended_at IS NOT NULL, s.result,
                            extract(epoch FROM s.due_at - clock_timestamp())::double precision
                       FROM currant.steps AS s WHERE s.execution = run AND s.number = step;
    END IF;
END
$$;

-- Forget the record of runs from a step on; what these steps have begun and has not ended is cancelled.
CREATE FUNCTION currant.forget_steps(runs uuid[], froms integer[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
    children uuid[];
BEGIN
    SELECT array_agg(e.id) INTO children
      FROM unnest(runs, froms) AS r (run, first)
      JOIN currant.executions AS x ON x.id = r.run
      JOIN currant.steps AS s ON s.execution = r.run AND s.number >= r.first AND s.kind IN ('run', 'map', 'submit')
       AND s.began_at >= x.created_at
      JOIN currant.executions AS e ON e.id BETWEEN s.child AND coalesce(s.last_id, s.child)
       AND e.batch IS NOT DISTINCT FROM s.batch;
    DELETE FROM currant.steps AS s USING unnest(runs, froms) AS r (run, first)
     WHERE s.execution = r.run AND s.number >= r.first;
    DELETE FROM currant.awaited AS a WHERE a.run = ANY (runs);
    DELETE FROM currant.awaited_batches AS a WHERE a.run = ANY (runs);
    IF children IS NOT NULL THEN
        PERFORM FROM currant.cancel(children);
    END IF;
END
$$;

-- Runs that were put back to run again: they go on from the first step that did not end well.
CREATE FUNCTION currant.forget_failed(runs uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
    again uuid[];
    froms integer[];
BEGIN
    SELECT array_agg(b.execution), array_agg(b.first) INTO again, froms FROM (
        SELECT s.execution, min(s.number) AS first
          FROM currant.steps AS s
         WHERE s.execution = ANY (runs)
           AND (s.error IS NOT NULL OR EXISTS (
                SELECT FROM currant.history AS h
                 WHERE h.id BETWEEN s.child AND coalesce(s.last_id, s.child) AND h.status <> 'succeeded'
                   AND (s.batch IS NULL OR h.batch = s.batch)))
         GROUP BY s.execution
    ) AS b;
    IF again IS NOT NULL THEN
        PERFORM currant.forget_steps(again, froms);
    END IF;
END
$$;

-- A new run ($2) that has the record of another up to before a step: it goes on there. Returns whether it was made.
CREATE FUNCTION currant.fork(run uuid, copy uuid, step integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    home text;
BEGIN
    INSERT INTO currant.executions AS x (id, job, queue, priority, token, retries, options, args)
    SELECT copy, f.job, f.queue, f.priority, 1, f.retries, f.options, f.args   -- its token says that there is a record
      FROM (SELECT e.job, e.queue, e.priority, e.retries, e.options, e.args FROM currant.executions AS e WHERE e.id = run
            UNION ALL
            SELECT h.job, h.queue, h.priority, h.retries, h.options, h.args FROM currant.history AS h WHERE h.id = run
            LIMIT 1) AS f
        ON CONFLICT DO NOTHING
    RETURNING x.queue INTO home;
    IF home IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO currant.steps (execution, number, kind, name, seen, child, last_id, batch, began_at, due_at, ended_at,
                               result, error)
    SELECT copy, s.number, s.kind, s.name, s.seen, s.child, s.last_id, s.batch, s.began_at, s.due_at, s.ended_at,
           s.result, s.error
      FROM currant.steps AS s WHERE s.execution = run AND s.number < step;
    INSERT INTO currant.signals (execution, name, value, sent_at)
    SELECT copy, g.name, g.value, g.sent_at
      FROM currant.signals AS g
     WHERE g.execution = run AND g.name IN (SELECT s.name FROM currant.steps AS s
                                             WHERE s.execution = run AND s.kind = 'event' AND s.number < step);
    PERFORM currant.wake(ARRAY[home], false);
    RETURN true;
END
$$;

-- How an execution stands that is to run again: it waits for its parents, if it has any, until `revive` has looked.
CREATE FUNCTION currant.start_of(execution uuid) RETURNS TABLE (status text, waits_for bigint)
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN t.is_tied THEN 'waiting' ELSE 'pending' END, CASE WHEN t.is_tied THEN 0 END
      FROM (SELECT EXISTS (SELECT FROM currant.dependencies AS d WHERE d.child = $1)
                OR EXISTS (SELECT FROM currant.batch_dependencies AS d WHERE d.child = $1) AS is_tied) AS t
$$;

-- Let a run go on from a step, which is run anew with all that came after it. Returns the status it had, or null where it
-- is unknown; what runs is left alone.
CREATE FUNCTION currant.rerun(run uuid, step integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
    was      text;
    home     text;
    own      bigint;
    is_early boolean;
BEGIN
    SELECT e.status, e.queue, e.status = 'waiting' AND coalesce(e.waits_for, 0) > 0 INTO was, home, is_early
      FROM currant.executions AS e WHERE e.id = run FOR UPDATE;
    IF was IS NULL THEN
        WITH gone AS (
            DELETE FROM currant.history AS h WHERE h.id = run RETURNING h.*
        ), again AS (
            INSERT INTO currant.executions (id, job, queue, priority, status, waits_for, token, retries, batch, created_at,
                                            options, args, attempts)
            SELECT g.id, g.job, g.queue, g.priority, t.status, t.waits_for, greatest(g.token, 1), g.retries, g.batch,
                   g.created_at, g.options, g.args, coalesce(g.attempts, '[]'::jsonb) || jsonb_build_object(
                       'attempt', g.attempt, 'pool', g.claimed_by, 'started_at', g.started_at,
                       'finished_at', g.finished_at, 'error', g.error)
              FROM gone AS g CROSS JOIN LATERAL currant.start_of(g.id) AS t
            RETURNING id
        )
        SELECT g.status, g.queue, g.batch INTO was, home, own FROM gone AS g CROSS JOIN again;
        IF was IS NOT NULL THEN
            PERFORM currant.revive(ARRAY[run]);
            -- Those that counted it among their ended parents and still wait for others wait for it too.
            PERFORM currant.assess(ARRAY(
                SELECT e.id FROM currant.executions AS e
                 WHERE e.id = ANY (ARRAY(SELECT c.child FROM currant.children_of(ARRAY[run], ARRAY[own]) AS c))
                   AND e.status = 'waiting' AND e.waits_for > 0 ORDER BY e.id FOR UPDATE));
        END IF;
    ELSIF was <> 'running' AND NOT is_early THEN
        UPDATE currant.executions AS e SET status = 'pending', due_at = NULL, waits_for = NULL WHERE e.id = run;
    END IF;
    IF was IS NOT NULL AND was <> 'running' THEN
        PERFORM currant.forget_steps(ARRAY[run], ARRAY[step]);
        PERFORM currant.wake(ARRAY[home], false);
    END IF;
    RETURN was;
END
$$;

-- Whether the result of a finished execution (and its batch, or null) is needed: by a run that has not ended, whose step
-- it is, or by an execution that waits for others too.
CREATE FUNCTION currant.is_needed(id uuid, batch bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM currant.steps AS s JOIN currant.executions AS e ON e.id = s.execution WHERE s.child = $1)
        OR EXISTS (SELECT FROM currant.dependencies AS d JOIN currant.executions AS e ON e.id = d.child
                    WHERE d.parent = $1)
        OR ($2 IS NOT NULL AND (
               EXISTS (SELECT FROM currant.steps AS s JOIN currant.executions AS e ON e.id = s.execution
                        WHERE s.batch = $2)
            OR EXISTS (SELECT FROM currant.batch_dependencies AS d JOIN currant.executions AS e ON e.id = d.child
                        WHERE d.batch = $2 AND $1 BETWEEN d.first_id AND d.last_id)))
$$;

-- As before, and: the record of runs that are in no table any more.
CREATE OR REPLACE FUNCTION currant.prune_ties(before timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    WITH single AS (
        DELETE FROM currant.dependencies AS d
         WHERE d.child < currant.first_id($1)
           AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = d.child)
           AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = d.child)
        RETURNING 1
    ), many AS (
        DELETE FROM currant.batch_dependencies AS d
         WHERE d.child < currant.first_id($1)
           AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = d.child)
           AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = d.child)
        RETURNING 1
    ), steps AS (
        DELETE FROM currant.steps AS s
         WHERE s.execution < currant.first_id($1)
           AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = s.execution)
           AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = s.execution)
        RETURNING 1
    ), signals AS (
        DELETE FROM currant.signals AS g
         WHERE g.execution < currant.first_id($1)
           AND NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = g.execution)
           AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = g.execution)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM single) + (SELECT count(*) FROM many) + (SELECT count(*) FROM steps)
         + (SELECT count(*) FROM signals)
$$;
