-- As list_scan_newest, but only for failed and cancelled ones, which an index of their own finds.
-- repeatable
WITH scanned AS MATERIALIZED (
    SELECT e.id, (
-- include list_matches
           ) AS matches
      FROM (SELECT * FROM (
                (SELECT
-- include list_columns_done
                  FROM currant.history
                 WHERE 'failed' = ANY ($1) AND status = 'failed' AND
-- include list_bounds
                  ORDER BY id DESC LIMIT $15::integer)
                 UNION ALL
                (SELECT
-- include list_columns_done
                  FROM currant.history
                 WHERE 'cancelled' = ANY ($1) AND status = 'cancelled' AND
-- include list_bounds
                  ORDER BY id DESC LIMIT $15)
            ) AS both_statuses
             ORDER BY id DESC LIMIT $15) AS e
)
SELECT ARRAY(SELECT id FROM scanned WHERE matches ORDER BY id DESC LIMIT $16::integer) AS ids,
       (SELECT count(*) FROM scanned WHERE matches) AS matching,
       (SELECT count(*) FROM scanned) AS scanned,
       (SELECT id FROM scanned ORDER BY id ASC LIMIT 1) AS reached
