-- $1 batch
-- repeatable
SELECT size FROM currant.batches WHERE id = $1::bigint
