-- What waits in one queue, in the order in which it will be claimed. $1 to $14 the filter, $15 how many to look at,
-- $16 how many ids to return, $17 queue, $18 and $19 the rank (negated priority) and id to go on after
-- repeatable
WITH scanned AS MATERIALIZED (
    SELECT e.id, -(e.priority::integer) AS rank, (
-- include list_matches
           ) AS matches
      FROM (SELECT
-- include list_columns
              FROM currant.executions
             WHERE status = 'pending' AND queue = $17::text
               AND (-(priority::integer), executions.id) > ($18::integer, $19::uuid) AND
-- include list_bounds
             ORDER BY queue, -(priority::integer), executions.id LIMIT $15::integer) AS e
)
SELECT ARRAY(SELECT id FROM scanned WHERE matches ORDER BY rank, id LIMIT $16::integer) AS ids,
       (SELECT count(*) FROM scanned WHERE matches) AS matching,
       (SELECT count(*) FROM scanned) AS scanned,
       (SELECT id FROM scanned ORDER BY rank DESC, id DESC LIMIT 1) AS reached
