-- Put runs away: see the function `put_away`. $1 runs, $2 tokens, $3 the steps each waits for (as text), $4 what each has
-- printed. Running it twice is harmless: a run that is away has no claim.
-- repeatable
SELECT p.run, p.status FROM currant.put_away($1::uuid[], $2::integer[], $3::text[], $4::text[]) AS p
