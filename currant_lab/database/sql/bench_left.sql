-- repeatable
-- Schemas of runs of the bench.
SELECT nspname::text AS name FROM pg_namespace WHERE nspname LIKE 'bench\_%'
