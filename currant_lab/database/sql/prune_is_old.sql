-- How many finished executions a range of ids holds; null when one of them finished after $3. $1 low, $2 high
-- repeatable
SELECT CASE WHEN coalesce(max(finished_at), '-infinity') < $3::timestamptz THEN count(*) END
  FROM currant.history WHERE id >= $1::uuid AND id < $2::uuid
