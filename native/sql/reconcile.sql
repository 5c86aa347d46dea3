-- What the database thinks pool $1 holds: asked after a claim whose answer was lost.
-- $2 the connection that made it, which may still be at work: it is ended, and 'ended' tells whether to ask again.
SELECT (SELECT count(pg_terminate_backend(pid))
          FROM pg_stat_activity
         WHERE pid = $2::integer AND usename = current_user
           AND application_name = current_setting('application_name')) AS ended,
       ARRAY(SELECT id FROM currant.executions
              WHERE claimed_by = $1::integer AND status = 'running' ORDER BY id) AS ids,
       ARRAY(SELECT token FROM currant.executions
              WHERE claimed_by = $1::integer AND status = 'running' ORDER BY id) AS tokens
