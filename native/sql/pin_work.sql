-- Session settings of the connections that claim and settle. Statistics may be stale, and a plan may date from when the
-- table was tiny: whatever they say, a million waiting rows are never scanned, hashed or sorted.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_sort = off;
SET plan_cache_mode = force_generic_plan;
SET jit = off;
-- Longer than the client waits: what it gave up on does not go on for ever.
SET statement_timeout = '35s';
SET lock_timeout = 0
