-- Take the lock of pool $2 again, on a new connection. $1 the schema's lock key.
SELECT pg_try_advisory_lock($1::integer, $2::integer)
