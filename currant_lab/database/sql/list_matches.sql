-- Part of other statements: whether `e` is what a filter asks for; null asks for nothing.
-- $1 statuses, $2 queue, $3 job, $4 type of the error (regular expressions), $5 batch, $6 pool, $7 seconds it is older
-- than, $8 seconds it is younger than, $11 least attempt, $12 largest attempt, $13 words in small letters, $14 the same
-- words as they would stand in arguments
    ($1::text[] IS NULL OR e.status = ANY ($1))
AND ($2::text IS NULL OR e.queue ~ $2)
AND ($3::text IS NULL OR e.job ~ $3)
AND ($4::text IS NULL OR e.error ->> 'type' ~ $4)
AND ($5::bigint IS NULL OR e.batch = $5)
AND ($6::integer IS NULL OR e.claimed_by = $6)
AND ($7::double precision IS NULL OR e.created_at < now() - $7 * interval '1 second')
AND ($8::double precision IS NULL OR e.created_at > now() - $8 * interval '1 second')
AND ($11::integer IS NULL OR e.attempt >= $11)
AND ($12::integer IS NULL OR e.attempt <= $12)
AND ($13::text[] IS NULL OR NOT EXISTS (
        SELECT FROM unnest($13, $14::text[]) AS w (said, given)
         WHERE position(w.said IN lower(concat_ws(' ', e.job, e.queue, e.progress_note, e.error ->> 'type',
                                                  e.error ->> 'message', left(e.error ->> 'traceback', 4096),
                                                  left(e.logs, 4096)))) = 0
           AND position(w.given IN lower(encode(substring(e.args FOR 4096), 'escape'))) = 0))
