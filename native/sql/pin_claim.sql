-- Session settings of the connection that claims. Its plans are made once, perhaps while the table was empty: no
-- statement of it joins the table to anything, so that no plan has a choice that a million waiting rows would regret.
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
