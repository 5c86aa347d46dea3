-- What running executions say of themselves. $1 ids, $2 tokens, $3 shares done, $4 notes, $5 logs so far
-- repeatable
UPDATE currant.executions AS e
   SET progress = coalesce(said.progress, e.progress), progress_note = coalesce(said.note, e.progress_note),
       logs = coalesce(said.logs, e.logs)
  FROM unnest($1::uuid[], $2::integer[], $3::real[], $4::text[], $5::text[]) AS said (id, token, progress, note, logs)
 WHERE e.id = said.id AND e.token = said.token AND e.claimed_by IS NOT NULL
