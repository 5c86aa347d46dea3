-- Dropping a partition locks history; wait for that no longer than this, in this transaction only.
SELECT set_config('lock_timeout', '2s', true)
