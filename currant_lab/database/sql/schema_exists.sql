-- Asked first: CREATE SCHEMA IF NOT EXISTS wants the right to create even where there is nothing to create.
-- repeatable
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)
