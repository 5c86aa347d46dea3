-- The steps of a run as people look at them. $1 run, $2 how many at most, $3 after which number
-- repeatable
SELECT s.number, s.kind, s.name, s.child, s.batch, s.began_at, s.due_at, s.seen,
       coalesce(s.ended_at, h.finished_at, m.finished_at) AS ended_at,
       CASE WHEN s.kind = 'submit' THEN 'succeeded'
            WHEN s.error IS NOT NULL THEN CASE WHEN s.error ->> 'type' = 'GivenUp' THEN 'cancelled' ELSE 'failed' END
            WHEN s.ended_at IS NOT NULL THEN 'succeeded'
            WHEN s.batch IS NOT NULL THEN
                CASE WHEN m.unfinished > 0 THEN CASE WHEN m.running > 0 OR m.ended > 0 THEN 'running' ELSE 'pending' END
                     WHEN m.bad > 0 THEN 'failed' ELSE 'succeeded' END
            WHEN s.child IS NOT NULL THEN coalesce(e.status, h.status, 'unknown')
            WHEN s.due_at <= clock_timestamp() THEN 'succeeded'
            WHEN s.kind = 'call' THEN 'running'
            ELSE 'waiting' END AS status,
       coalesce(e.attempt, h.attempt) AS attempt, coalesce(e.progress, h.progress) AS progress,
       coalesce(e.progress_note, h.progress_note) AS progress_note,
       coalesce(s.error, h.error)::text AS error, coalesce(e.claimed_at, h.started_at) AS started_at,
       m.unfinished, m.ended, m.bad, m.running
  FROM currant.steps AS s
  LEFT JOIN currant.executions AS e ON e.id = s.child AND s.batch IS NULL
  LEFT JOIN currant.history AS h ON h.id = s.child AND s.batch IS NULL
  LEFT JOIN LATERAL (
        SELECT (SELECT count(*) FROM currant.executions AS x
                 WHERE x.id BETWEEN s.child AND s.last_id AND x.batch = s.batch) AS unfinished,
               (SELECT count(*) FROM currant.executions AS x
                 WHERE x.id BETWEEN s.child AND s.last_id AND x.batch = s.batch AND x.status = 'running') AS running,
               y.ended, y.bad, y.finished_at
          FROM (SELECT count(*) AS ended, count(*) FILTER (WHERE x.status <> 'succeeded') AS bad,
                       max(x.finished_at) AS finished_at
                  FROM currant.history AS x
                 WHERE x.id BETWEEN s.child AND s.last_id AND x.batch = s.batch) AS y
       ) AS m ON s.batch IS NOT NULL
 WHERE s.execution = $1::uuid AND s.number > $3::integer
 ORDER BY s.number LIMIT $2::integer
