-- Tie executions that this transaction has written as `waiting`. $1 children, $2 parents, $3 many, $4 firsts, $5 lasts,
-- $6 sizes: see the function `tie`. Returns what can't be waited for.
SELECT t.child, t.parent
  FROM currant.tie($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[]) AS t
