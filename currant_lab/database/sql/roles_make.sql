-- Three group roles with the least rights; made where they are missing, and granted again. Runs as the schema's owner.
-- Columns are named where a whole table would be too much: a submitter can neither forge what pools write nor read
-- anybody's arguments, results, errors or logs.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['currant_submit', 'currant_work', 'currant_watch'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA currant TO currant_submit, currant_work, currant_watch;
GRANT SELECT ON currant.migrations TO currant_submit, currant_work, currant_watch;
REVOKE EXECUTE ON FUNCTION currant.ensure_history(timestamptz) FROM PUBLIC;

GRANT INSERT (id, job, queue, priority, status, retries, batch, due_at, options, args),
      SELECT (id, job, queue, priority, status, attempt, batch, created_at, due_at)
   ON currant.executions TO currant_submit;
GRANT SELECT (id, job, queue, priority, status, attempt, batch, created_at, finished_at)
   ON currant.history TO currant_submit;
GRANT INSERT (name, job, size), UPDATE (size), SELECT ON currant.batches TO currant_submit;
GRANT INSERT, SELECT ON currant.batch_parts TO currant_submit;

GRANT SELECT, INSERT, UPDATE, DELETE
   ON currant.executions, currant.history, currant.pools, currant.queues, currant.batches, currant.batch_parts,
      currant.sources, currant.dependencies, currant.batch_dependencies, currant.steps, currant.signals,
      currant.awaited, currant.awaited_batches
   TO currant_work;
GRANT SELECT ON currant.all_executions TO currant_work;
GRANT EXECUTE ON FUNCTION currant.ensure_history(timestamptz) TO currant_work;

GRANT SELECT ON ALL TABLES IN SCHEMA currant TO currant_watch;
