-- One map at a time into a named batch, to the end of the transaction. $1 name
SELECT id, job, size, now() AS now FROM currant.batches WHERE name = $1::text FOR UPDATE
