-- Session settings of the connection that keeps the lease, listens, promotes and rescues.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET jit = off;
SET statement_timeout = '15s';
SET lock_timeout = 0;
LISTEN currant_wake
