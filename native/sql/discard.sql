-- An execution whose outcome the database refuses because its id is finished already: somebody wrote the row again.
-- What is finished stands; the row goes, or it would run and be refused for ever. $1 ids, $2 tokens
DELETE FROM currant.executions AS e
 WHERE e.id = ANY ($1::uuid[]) AND e.token = ANY ($2::integer[]) AND e.claimed_by IS NOT NULL
   AND EXISTS (SELECT FROM currant.history AS h WHERE h.id = e.id)
