-- The batch whose part begins with an id. Asked only when the answer to a commit was lost: no index. $1 id
-- repeatable
SELECT batch FROM currant.batch_parts WHERE first_id = $1::uuid
