-- The first schema. `currant` stands for the schema's name wherever it appears in an SQL file:
-- the loaders (Python and Rust) put the configured name in its place.

CREATE TABLE currant.migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The hot table: only what is not finished. A row is written three times (submit, claim, settle), so
-- half of each page is left free for the claim's new version, and vacuum comes by row count, not share.
CREATE TABLE currant.executions (
    id            uuid        NOT NULL PRIMARY KEY,   -- UUIDv7, made by the client
    job           text        NOT NULL,
    queue         text        NOT NULL DEFAULT 'default',
    priority      smallint    NOT NULL DEFAULT 0,
    status        text        NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('scheduled', 'waiting', 'pending', 'running')),
    attempt       integer     NOT NULL DEFAULT 0,     -- how many times it has been started
    token         integer     NOT NULL DEFAULT 0,     -- the fence: up at every claim, never down
    rescues       smallint    NOT NULL DEFAULT 0,     -- how many pools have died holding it
    retries       smallint,                           -- null: as the job says
    claimed_by    integer,                            -- pools.id
    batch         bigint,                             -- batches.id
    created_at    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz,
    claimed_at    timestamptz,
    cancelling    boolean     NOT NULL DEFAULT false, -- cancel was asked for while it ran
    progress      real,                               -- 0 to 1
    progress_note text,
    options       jsonb,                              -- timeout and backoff where they differ from the job's
    args          bytea       NOT NULL,               -- an encoded payload: see values.py
    attempts      jsonb,                              -- the attempts that failed, oldest first
    logs          text,
    CHECK ((status = 'running') = (claimed_by IS NOT NULL))
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.0,
    autovacuum_vacuum_insert_threshold = 200000,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- The order of the claim: queue, highest priority, oldest id. The negated priority makes both columns
-- ascend, so a row comparison can start from a cursor inside the index.
CREATE INDEX executions_pending ON currant.executions (queue, (-(priority::integer)), id)
    WHERE status = 'pending';
CREATE INDEX executions_running ON currant.executions (claimed_by)
    WHERE status = 'running';
-- Only running executions are ever cancelling, so this one says it alone: a pool looks every 5 s, and through the
-- index of the running ones it would walk the dead entries of everything it has run.
CREATE INDEX executions_cancelling ON currant.executions (claimed_by)
    WHERE cancelling;
CREATE INDEX executions_scheduled ON currant.executions (due_at)
    WHERE status = 'scheduled';

-- What is finished: appended, and partitioned by the time in the id, so that one lookup reads one
-- partition and the primary key itself refuses a second settle.
CREATE TABLE currant.history (
    id            uuid        NOT NULL,
    job           text        NOT NULL,
    queue         text        NOT NULL,
    priority      smallint    NOT NULL,
    status        text        NOT NULL CHECK (status IN ('succeeded', 'failed', 'cancelled')),
    attempt       integer     NOT NULL,
    token         integer     NOT NULL,
    rescues       smallint    NOT NULL,
    retries       smallint,
    claimed_by    integer,
    batch         bigint,
    created_at    timestamptz NOT NULL,
    due_at        timestamptz,
    claimed_at    timestamptz,
    started_at    timestamptz,                        -- null: it never started
    finished_at   timestamptz NOT NULL,
    progress      real,
    progress_note text,
    options       jsonb,
    source        text,                               -- sources.version
    args          bytea       NOT NULL,
    result        bytea,                              -- an encoded payload; null unless succeeded
    error         jsonb,                              -- {"type", "message", "traceback"}
    attempts      jsonb,
    logs          text,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

CREATE TABLE currant.history_default PARTITION OF currant.history DEFAULT;

-- What did not succeed is rare and asked for often.
CREATE INDEX history_unsuccessful ON currant.history (status, id) WHERE status <> 'succeeded';

CREATE TABLE currant.pools (
    id            integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- also the advisory lock's second key
    name          text        NOT NULL,               -- the namespace of cell-defined jobs
    kind          text        NOT NULL CHECK (kind IN ('kernel', 'worker', 'script')),
    host          text        NOT NULL,
    boot_id       text        NOT NULL,               -- boot and pid namespace: where `pid` means something
    pid           integer     NOT NULL,
    pid_started   bigint      NOT NULL,               -- clock ticks after boot; tells a pid from its reuse
    version       text        NOT NULL,
    queues        text[]      NOT NULL,
    jobs          text[]      NOT NULL DEFAULT '{}',  -- the job names it can run
    workers       integer     NOT NULL,
    has_lock      boolean     NOT NULL DEFAULT true,  -- false behind a pooler: only the lease speaks
    started_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(), -- the lease: renewed every 5 s
    suspect_since timestamptz,                        -- its lock was found free at this time
    stopped_at    timestamptz,                        -- it said goodbye
    lost_at       timestamptz                         -- it was declared dead
);
CREATE INDEX pools_alive ON currant.pools (seen_at) WHERE stopped_at IS NULL AND lost_at IS NULL;

CREATE TABLE currant.queues (
    name      text        PRIMARY KEY,
    paused_at timestamptz                             -- null: it is claimed from
);

CREATE TABLE currant.batches (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        UNIQUE,                    -- null: an unnamed map
    job        text        NOT NULL,
    size       bigint      NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Each map writes one contiguous run of ids, so a batch is read as ranges of the primary key
-- and neither big table carries an index for it.
CREATE TABLE currant.batch_parts (
    batch    bigint NOT NULL REFERENCES currant.batches ON DELETE CASCADE,
    first_id uuid   NOT NULL,
    last_id  uuid   NOT NULL,
    size     bigint NOT NULL,
    PRIMARY KEY (batch, first_id)
);

-- The text of every version of a job's function that has run, by its hash.
CREATE TABLE currant.sources (
    version  text        PRIMARY KEY,
    job      text        NOT NULL,
    source   text        NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now()
);
