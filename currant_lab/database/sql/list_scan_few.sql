-- Those that run or are scheduled, which partial indexes find: up to $15 of each, those that began or are due first.
-- $1 to $14 the filter, $16 how many ids to return, $17 the order: newest, oldest, longest, soonest
-- repeatable
WITH scanned AS MATERIALIZED (
    SELECT e.id, e.claimed_at, e.due_at, (
-- include list_matches
           ) AS matches
      FROM ((SELECT
-- include list_columns
               FROM currant.executions
              WHERE 'running' = ANY ($1) AND status = 'running' AND ($6::integer IS NULL OR claimed_by = $6) AND
-- include list_bounds
              LIMIT $15::integer)
             UNION ALL
            (SELECT
-- include list_columns
               FROM currant.executions
              WHERE 'scheduled' = ANY ($1) AND status = 'scheduled' AND
-- include list_bounds
              ORDER BY due_at LIMIT $15)) AS e
)
SELECT ARRAY(SELECT id FROM scanned WHERE matches
              ORDER BY CASE $17::text WHEN 'longest' THEN claimed_at WHEN 'soonest' THEN due_at END,
                       CASE WHEN $17 = 'newest' THEN id END DESC, id LIMIT $16::integer) AS ids,
       (SELECT count(*) FROM scanned WHERE matches) AS matching,
       (SELECT count(*) FROM scanned) AS scanned,
       NULL::uuid AS reached
