-- Write outcomes that all succeeded and left no logs, as `settle` would, for a fifth less of the server's time: 9.7 us
-- each instead of 11.8. Those returned are the ones that counted.
-- $1 ids, $2 tokens, $3 results, $4 run times (us), $5 time since the end (us), $6 source versions
WITH outcome AS NOT MATERIALIZED (
    SELECT id, token, 'succeeded'::text AS status, result, NULL::text AS error, run_us, ended_us_ago,
           NULL::text AS logs, source
      FROM unnest($1::uuid[], $2::integer[], $3::bytea[], $4::bigint[], $5::bigint[], $6::text[])
        AS o (id, token, result, run_us, ended_us_ago, source)
),
-- include ending
SELECT g.id, g.token, g.status FROM gone AS g CROSS JOIN (SELECT count(*) AS n FROM passed) AS p
