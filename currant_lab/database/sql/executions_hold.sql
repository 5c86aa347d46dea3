-- Which of these ids are there and not finished. Their rows are held to the end of the transaction, so that none
-- moves to history between this look and the next. $1 ids
SELECT id FROM currant.executions WHERE id = ANY ($1::uuid[]) ORDER BY id FOR KEY SHARE
