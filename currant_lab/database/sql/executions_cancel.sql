-- Cancel: see the function `cancel`. $1 ids. Returns the status each of those found had.
SELECT c.id, c.status FROM currant.cancel($1::uuid[]) AS c
