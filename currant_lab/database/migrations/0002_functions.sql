-- What the database does by itself: ids, partitions, submit for any client, and one view over everything.

-- The smallest UUIDv7 of a moment (RFC 9562, section 5.7: the first 48 bits are Unix milliseconds).
CREATE FUNCTION currant.first_id(moment timestamptz) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- A new UUIDv7: the moment, then 74 random bits from a version 4 UUID, version and variant set.
CREATE FUNCTION currant.new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_byte(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6),
            6, (get_byte(uuid_send(gen_random_uuid()), 6) & 15) | 112),
        'hex')::uuid
$$;

-- Makes the weekly history partition that holds `moment`; rows the default partition took in its
-- place move over. Runs with its owner's rights, since pools may not create tables.
CREATE FUNCTION currant.ensure_history(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    week timestamptz := date_trunc('week', moment, 'UTC');
    part text := 'history_' || to_char(week AT TIME ZONE 'UTC', 'IYYY"w"IW');
    low  uuid := currant.first_id(week);
    high uuid := currant.first_id(week + interval '7 days');
BEGIN
    IF to_regclass(format('currant.%I', part)) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('currant.history', 0));
    IF to_regclass(format('currant.%I', part)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE currant.%I (LIKE currant.history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    LOCK TABLE currant.history_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM currant.history_default WHERE id >= %L AND id < %L RETURNING *)
         INSERT INTO currant.%I SELECT * FROM moved', low, high, part);
    EXECUTE format('ALTER TABLE currant.history ATTACH PARTITION currant.%I FOR VALUES FROM (%L) TO (%L)',
                   part, low, high);
END
$$;

SELECT currant.ensure_history(now() + weeks * interval '7 days') FROM generate_series(0, 2) AS weeks;

-- A payload that is plain JSON, as JSON; null when it carries binary parts (first byte 1: see values.py).
CREATE FUNCTION currant.payload_json(payload bytea) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(payload) > 0 AND get_byte(payload, 0) <> 1
                THEN convert_from(payload, 'UTF8')::jsonb END
$$;

CREATE VIEW currant.all_executions AS
    SELECT id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by, batch,
           created_at, due_at, claimed_at, NULL::timestamptz AS started_at, NULL::timestamptz AS finished_at,
           cancelling, progress, progress_note, options, NULL::text AS source,
           currant.payload_json(args) AS args, NULL::jsonb AS result, NULL::jsonb AS error, attempts, logs,
           args AS args_bytes, NULL::bytea AS result_bytes
      FROM currant.executions
    UNION ALL
    SELECT id, job, queue, priority, status, attempt, token, rescues, retries, claimed_by, batch,
           created_at, due_at, claimed_at, started_at, finished_at,
           false, progress, progress_note, options, source,
           currant.payload_json(args), currant.payload_json(result), error, attempts, logs,
           args, result
      FROM currant.history;

-- Submit from any client and inside anyone's transaction. `args` is an array (positional) or an
-- object (by name); it is not checked against the job's signature, which only the pool knows.
CREATE FUNCTION currant.submit(job text, args jsonb, queue text DEFAULT 'default', priority integer DEFAULT 0,
                               delay interval DEFAULT '0') RETURNS uuid
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    new_id uuid := currant.new_id();
BEGIN
    IF coalesce(job, '') = '' OR length(job) > 200 THEN
        RAISE EXCEPTION 'a job name has 1 to 200 characters' USING ERRCODE = '22023';
    ELSIF coalesce(queue, '') = '' OR length(queue) > 200 THEN
        RAISE EXCEPTION 'a queue name has 1 to 200 characters' USING ERRCODE = '22023';
    ELSIF priority IS NULL OR priority NOT BETWEEN -32768 AND 32767 THEN
        RAISE EXCEPTION 'a priority is between -32768 and 32767' USING ERRCODE = '22003';
    ELSIF coalesce(jsonb_typeof(args), '') NOT IN ('array', 'object') THEN
        RAISE EXCEPTION 'args is a JSON array (positional) or object (by name)' USING ERRCODE = '22023';
    END IF;
    INSERT INTO currant.executions (id, job, queue, priority, status, due_at, args)
    VALUES (new_id, job, queue, priority,
            CASE WHEN delay > interval '0' THEN 'scheduled' ELSE 'pending' END,
            CASE WHEN delay > interval '0' THEN now() + delay END,
            convert_to(args::text, 'UTF8'));
    PERFORM pg_notify('currant_wake', CASE WHEN delay > interval '0' THEN '@' ELSE '+' || queue END);
    RETURN new_id;
END
$$;
