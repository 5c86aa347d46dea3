-- Session settings of the connection that settles. Its statements join outcomes to the table by id, and are planned anew
-- each time, with the table's size of that moment (about 0.5 ms, for up to 500 outcomes): a plan kept from an empty table
-- read the whole key index for each batch.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET plan_cache_mode = force_custom_plan;
SET jit = off;
-- Longer than the client waits: what it gave up on does not go on for ever.
SET statement_timeout = '35s';
SET lock_timeout = 0
