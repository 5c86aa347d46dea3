-- Executions that wait for others. A child is `waiting` until all its parents have succeeded; the statement that ends a
-- parent moves its children on, so nothing polls.
--
-- A statement sees the rows of the moment it began. What a statement that ends executions must see (children that were
-- tied to them while it waited for their locks) is therefore read in volatile PL/pgSQL functions: each query in one
-- sees everything committed by then, and what the calling statement has done before.
-- The locks go: rows of parents (by id), then batches, then rows of children (by id).

ALTER TABLE currant.executions
    ADD COLUMN waits_for    bigint,    -- parents that have not succeeded yet; null: it never waited for any
    ADD COLUMN has_children boolean;   -- some execution is tied to this one; null: none

CREATE TABLE currant.dependencies (
    parent uuid NOT NULL,
    child  uuid NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX dependencies_child ON currant.dependencies (child);

-- A child of all executions of one batch at once. Other executions may lie between their ids, so `batch` is compared too.
CREATE TABLE currant.batch_dependencies (
    batch    bigint NOT NULL,
    child    uuid   NOT NULL,
    first_id uuid   NOT NULL,
    last_id  uuid   NOT NULL,
    size     bigint NOT NULL,
    PRIMARY KEY (batch, child, first_id)
);
CREATE INDEX batch_dependencies_child ON currant.batch_dependencies (child);

-- Whether some execution waits for executions of this batch. To the end of the transaction nobody can be tied to it:
-- whoever ends or revives executions of a batch asks first, so `tie` counts each of them either before or after.
CREATE FUNCTION currant.is_awaited(wanted bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('currant.batch', wanted));
    RETURN EXISTS (SELECT FROM currant.batch_dependencies AS d WHERE d.batch = wanted);
END
$$;

-- The children of executions, each with its batch, or null.
CREATE FUNCTION currant.children_of(parents uuid[], batches bigint[]) RETURNS TABLE (parent uuid, child uuid)
LANGUAGE sql STABLE AS $$
    SELECT p.id, d.child
      FROM unnest($1, $2) AS p (id, batch)
      JOIN currant.dependencies AS d ON d.parent = p.id
    UNION ALL
    SELECT p.id, d.child
      FROM unnest($1, $2) AS p (id, batch)
      JOIN currant.batch_dependencies AS d ON d.batch = p.batch AND p.id BETWEEN d.first_id AND d.last_id
$$;

-- How the parents of each of these children stand: how many have not ended, and one that ended badly, if any has.
CREATE FUNCTION currant.standing_of(children uuid[]) RETURNS TABLE (child uuid, unfinished bigint, culprit uuid)
LANGUAGE sql STABLE AS $$
    SELECT c.id, one.unfinished + coalesce(many.unfinished, 0), coalesce(one.culprit, many.culprit)
      FROM unnest($1) AS c (id)
     CROSS JOIN LATERAL (
        SELECT count(e.id) AS unfinished,
               (array_agg(h.id) FILTER (WHERE h.status <> 'succeeded'))[1] AS culprit
          FROM currant.dependencies AS d
          LEFT JOIN currant.executions AS e ON e.id = d.parent
          LEFT JOIN currant.history AS h ON h.id = d.parent
         WHERE d.child = c.id
     ) AS one
     CROSS JOIN LATERAL (
        SELECT sum(found.unfinished)::bigint AS unfinished,
               (array_agg(found.culprit) FILTER (WHERE found.culprit IS NOT NULL))[1] AS culprit
          FROM currant.batch_dependencies AS d
         CROSS JOIN LATERAL (
            SELECT (SELECT count(*) FROM currant.executions AS e
                     WHERE e.id BETWEEN d.first_id AND d.last_id AND e.batch = d.batch) AS unfinished,
                   (SELECT h.id FROM currant.history AS h
                     WHERE h.id BETWEEN d.first_id AND d.last_id AND h.batch = d.batch AND h.status <> 'succeeded'
                     LIMIT 1) AS culprit
         ) AS found
         WHERE d.child = c.id
     ) AS many
$$;

-- Why a child of this execution is cancelled. What was cancelled for its own parent's sake names that one.
CREATE FUNCTION currant.reason_of(ended currant.history) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN ended.error ->> 'type' = 'ParentFailed' THEN ended.error ->> 'message'
        ELSE 'it depends on ' || ended.job || ' (' || ended.id || '), which '
             || CASE ended.status WHEN 'failed' THEN 'failed' ELSE 'was cancelled' END
             || coalesce(': ' || nullif(concat_ws(': ', nullif(ended.error ->> 'type', 'ExecutionCancelled'),
                                                  left(ended.error ->> 'message', 500)), ''), '')
    END
$$;

-- Cancel children that wait for executions which ended badly (culprits), and theirs, the whole way down.
-- Returns the ids of all that it cancelled.
CREATE FUNCTION currant.cancel_children(children uuid[], culprits uuid[]) RETURNS uuid[]
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
             WHERE e.id = l.child AND e.status = 'waiting'
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
        SELECT coalesce(array_agg(c.child), '{}'), coalesce(array_agg(c.parent), '{}') INTO doomed, blamed
          FROM (SELECT DISTINCT ON (x.child) x.child, x.parent
                  FROM currant.children_of(ended, batches) AS x ORDER BY x.child, x.parent) AS c;
    END LOOP;
    RETURN total;
END
$$;

-- Tell the pools of what has become ready: queues, and whether a due time is among it.
CREATE FUNCTION currant.wake(queues text[], is_scheduled boolean) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT pg_notify('currant_wake', '+' || q.queue) FROM (SELECT DISTINCT unnest($1) AS queue) AS q;
    SELECT pg_notify('currant_wake', '@') WHERE $2
$$;

-- Count anew what waiting executions wait for, and move them on: to pending (or scheduled) when all parents have
-- succeeded, to history when one has ended badly. Returns the ids of all that were cancelled.
CREATE FUNCTION currant.assess(children uuid[]) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    fine     uuid[];
    counts   bigint[];
    doomed   uuid[];
    culprits uuid[];
    ready    text[];
    is_later boolean;
BEGIN
    SELECT array_agg(s.child) FILTER (WHERE s.culprit IS NULL), array_agg(s.unfinished) FILTER (WHERE s.culprit IS NULL),
           array_agg(s.child) FILTER (WHERE s.culprit IS NOT NULL),
           array_agg(s.culprit) FILTER (WHERE s.culprit IS NOT NULL)
      INTO fine, counts, doomed, culprits
      FROM currant.standing_of(children) AS s;
    WITH moved AS (
        UPDATE currant.executions AS e
           SET waits_for = f.unfinished,
               status = CASE WHEN f.unfinished > 0 THEN 'waiting' WHEN e.due_at > now() THEN 'scheduled'
                             ELSE 'pending' END
          FROM unnest(fine, counts) AS f (id, unfinished)
         WHERE e.id = f.id AND e.status = 'waiting' AND (f.unfinished = 0 OR e.waits_for IS DISTINCT FROM f.unfinished)
        RETURNING e.queue, e.status
    )
    SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending'), bool_or(m.status = 'scheduled')
      INTO ready, is_later FROM moved AS m;
    PERFORM currant.wake(ready, is_later);
    RETURN CASE WHEN doomed IS NULL THEN '{}' ELSE currant.cancel_children(doomed, culprits) END;
END
$$;

-- Move on the children of executions that have just ended, in the transaction that ended them: $2 how, $3 their batches.
-- Called only where somebody may be tied to one of them, alone or by a batch: where nobody waits, `is_awaited` is all that
-- a settle costs more. Returns the ids of the children, and theirs, that were cancelled for it.
CREATE FUNCTION currant.pass_on(parents uuid[], statuses text[], batches bigint[]) RETURNS uuid[]
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
             WHERE e.id = f.id AND e.status = 'waiting'
            RETURNING e.queue, e.status
        )
        SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending'), bool_or(m.status = 'scheduled')
          INTO ready, is_later FROM moved AS m;
        PERFORM currant.wake(ready, is_later);
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

-- Tie executions that have just been written as `waiting` to what they wait for: `children[i]` to `parents[i]`, and
-- `many[i]` to the `sizes[i]` executions of one batch from `firsts[i]` to `lasts[i]`. Part of the transaction that wrote
-- them. Returns a row for each parent that isn't in the database; the child it was for is taken back.
CREATE FUNCTION currant.tie(children uuid[], parents uuid[], many uuid[], firsts uuid[], lasts uuid[], sizes bigint[])
RETURNS TABLE (child uuid, parent uuid)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    flagged text[];
    batches bigint[];
    refused uuid[];
    unknown uuid[];
BEGIN
    LOOP
        PERFORM FROM currant.executions AS e WHERE e.id = ANY (parents) ORDER BY e.id FOR NO KEY UPDATE;
        WITH marked AS (
            UPDATE currant.executions AS e SET has_children = true
             WHERE e.id = ANY (parents) AND e.has_children IS NOT TRUE
            RETURNING e.queue, e.status
        )
        SELECT array_agg(DISTINCT m.queue) FILTER (WHERE m.status = 'pending') INTO flagged FROM marked AS m;
        PERFORM currant.wake(flagged, false);  -- a claim passes locked rows by
        -- So that none of these is run again before its new child is there to be revived with it.
        PERFORM FROM currant.history AS h
          WHERE h.id = ANY (parents) AND h.status <> 'succeeded' ORDER BY h.id FOR SHARE;
        EXIT WHEN NOT EXISTS (SELECT FROM currant.executions AS e
                               WHERE e.id = ANY (parents) AND e.has_children IS NOT TRUE);
    END LOOP;
    SELECT array_agg(coalesce((SELECT e.batch FROM currant.executions AS e WHERE e.id = r.first_id),
                              (SELECT h.batch FROM currant.history AS h WHERE h.id = r.first_id)) ORDER BY r.place)
      INTO batches FROM unnest(firsts) WITH ORDINALITY AS r (first_id, place);
    PERFORM pg_advisory_xact_lock(hashtextextended('currant.batch', b.batch))
       FROM (SELECT DISTINCT u.batch FROM unnest(batches) AS u (batch) WHERE u.batch IS NOT NULL ORDER BY 1) AS b;

    SELECT array_agg(p.child), array_agg(p.parent) INTO refused, unknown FROM (
        SELECT s.child, s.parent FROM unnest(children, parents) AS s (child, parent)
         WHERE NOT EXISTS (SELECT FROM currant.executions AS e WHERE e.id = s.parent)
           AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = s.parent)
        UNION ALL
        SELECT r.child, r.first_id
          FROM unnest(many, firsts, lasts, sizes, batches) AS r (child, first_id, last_id, size, batch)
         WHERE r.batch IS NULL
            OR r.size <> (SELECT count(*) FROM currant.executions AS e
                           WHERE e.id BETWEEN r.first_id AND r.last_id AND e.batch = r.batch)
                       + (SELECT count(*) FROM currant.history AS h
                           WHERE h.id BETWEEN r.first_id AND r.last_id AND h.batch = r.batch)
    ) AS p;
    IF refused IS NOT NULL THEN
        DELETE FROM currant.executions AS e WHERE e.id = ANY (refused) AND e.status = 'waiting';
        RETURN QUERY SELECT DISTINCT ON (p.child) p.child, p.parent FROM unnest(refused, unknown) AS p (child, parent);
    END IF;

    INSERT INTO currant.dependencies AS d (parent, child)
    SELECT s.parent, s.child FROM unnest(children, parents) AS s (child, parent)
     WHERE s.child <> ALL (coalesce(refused, '{}'))
        ON CONFLICT DO NOTHING;
    INSERT INTO currant.batch_dependencies AS d (batch, child, first_id, last_id, size)
    SELECT r.batch, r.child, r.first_id, r.last_id, r.size
      FROM unnest(many, firsts, lasts, sizes, batches) AS r (child, first_id, last_id, size, batch)
     WHERE r.child <> ALL (coalesce(refused, '{}'))
        ON CONFLICT DO NOTHING;
    PERFORM currant.assess(ARRAY(SELECT DISTINCT u.id FROM unnest(children || many) AS u (id)
                                  WHERE u.id <> ALL (coalesce(refused, '{}'))));
END
$$;

-- After executions were put back to run again: those among them that have parents wait for these, and the children that
-- were cancelled for their sake come back, the whole way down, unless another parent still stands in their way.
-- Returns the ids of the children that came back.
CREATE FUNCTION currant.revive(parents uuid[]) RETURNS uuid[]
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    todo    uuid[] := parents;
    batches bigint[];
    lost    uuid[];
    total   uuid[] := '{}';
BEGIN
    PERFORM currant.assess(ARRAY(SELECT e.id FROM currant.executions AS e
                                  WHERE e.id = ANY (parents) AND e.status = 'waiting'));
    WHILE cardinality(todo) > 0 LOOP
        UPDATE currant.executions AS e SET has_children = true
         WHERE e.id = ANY (todo) AND EXISTS (SELECT FROM currant.dependencies AS d WHERE d.parent = e.id);
        SELECT coalesce(array_agg(e.id), '{}'), coalesce(array_agg(e.batch), '{}') INTO todo, batches
          FROM currant.executions AS e WHERE e.id = ANY (todo);
        PERFORM currant.is_awaited(b.batch)
           FROM (SELECT DISTINCT u.batch FROM unnest(batches) AS u (batch) WHERE u.batch IS NOT NULL ORDER BY 1) AS b;
        SELECT array_agg(DISTINCT c.child) INTO lost FROM currant.children_of(todo, batches) AS c;
        EXIT WHEN lost IS NULL;
        PERFORM FROM currant.history AS h
          WHERE h.id = ANY (lost) AND h.error ->> 'type' = 'ParentFailed' ORDER BY h.id FOR UPDATE;
        WITH fit AS MATERIALIZED (
            SELECT s.child FROM currant.standing_of(lost) AS s WHERE s.culprit IS NULL
        ), gone AS (
            DELETE FROM currant.history AS h USING fit AS f
             WHERE h.id = f.child AND h.status = 'cancelled' AND h.error ->> 'type' = 'ParentFailed'
            RETURNING h.*
        ), again AS (
            INSERT INTO currant.executions (id, job, queue, priority, status, attempt, token, rescues, retries, batch,
                      created_at, due_at, options, args, attempts)
            SELECT g.id, g.job, g.queue, g.priority, 'waiting', 0, g.token, 0, g.retries, g.batch,
                   g.created_at, g.due_at, g.options, g.args, g.attempts
              FROM gone AS g
            RETURNING id
        )
        SELECT coalesce(array_agg(a.id), '{}') INTO todo FROM again AS a;
        total := total || todo;
        PERFORM currant.assess(todo);
    END LOOP;
    RETURN total;
END
$$;

-- Forget the ties of children that are older than a moment and in no table any more. Returns how many.
CREATE FUNCTION currant.prune_ties(before timestamptz) RETURNS bigint
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
    )
    SELECT (SELECT count(*) FROM single) + (SELECT count(*) FROM many)
$$;
