-- Look at executions, newest first: which of them a filter means. One snapshot, so each is seen once.
-- $1 to $14 the filter: see list_matches and list_bounds; $15 how many to look at, $16 how many ids to return,
-- $17 look at what is not finished, $18 at what is
-- repeatable
WITH scanned AS MATERIALIZED (
    SELECT e.id, (
-- include list_matches
           ) AS matches
      FROM (SELECT * FROM (
                (SELECT
-- include list_columns
                  FROM currant.executions
                 WHERE $17::boolean AND
-- include list_bounds
                  ORDER BY id DESC LIMIT $15::integer)
                 UNION ALL
                (SELECT
-- include list_columns_done
                  FROM currant.history
                 WHERE $18::boolean AND
-- include list_bounds
                  ORDER BY id DESC LIMIT $15)
            ) AS both_tables
             ORDER BY id DESC LIMIT $15) AS e
)
SELECT ARRAY(SELECT id FROM scanned WHERE matches ORDER BY id DESC LIMIT $16::integer) AS ids,
       (SELECT count(*) FROM scanned WHERE matches) AS matching,
       (SELECT count(*) FROM scanned) AS scanned,
       (SELECT id FROM scanned ORDER BY id ASC LIMIT 1) AS reached
