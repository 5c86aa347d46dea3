-- Session settings of the connection that keeps the lease, listens, promotes and rescues: few statements, so each is
-- planned for the table as it is then.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET plan_cache_mode = force_custom_plan;
SET jit = off;
SET statement_timeout = '15s';
SET lock_timeout = 0;
LISTEN currant_wake
