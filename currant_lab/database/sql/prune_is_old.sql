-- How many finished executions a range of ids holds; null when one of them finished after $3, or may still be needed (see
-- the function `is_needed`: here from the other side, because a range may hold millions). $1 low, $2 high
-- repeatable
SELECT CASE WHEN coalesce(max(h.finished_at), '-infinity') < $3::timestamptz
             AND NOT EXISTS (SELECT FROM currant.steps AS s JOIN currant.executions AS e ON e.id = s.execution
                              WHERE s.child < $2 AND coalesce(s.last_id, s.child) >= $1)
             AND NOT EXISTS (SELECT FROM currant.dependencies AS d JOIN currant.executions AS e ON e.id = d.child
                              WHERE d.parent >= $1 AND d.parent < $2)
             AND NOT EXISTS (SELECT FROM currant.batch_dependencies AS d JOIN currant.executions AS e ON e.id = d.child
                              WHERE d.first_id < $2 AND d.last_id >= $1)
       THEN count(*) END
  FROM currant.history AS h WHERE h.id >= $1::uuid AND h.id < $2::uuid
