-- Give those that have not started another priority. Locked in order first, as by a cancel. $1 ids, $2 priority
WITH found AS MATERIALIZED (
    SELECT id FROM currant.executions
     WHERE id = ANY ($1::uuid[]) AND status IN ('scheduled', 'waiting', 'pending') AND priority <> $2::smallint
     ORDER BY id FOR UPDATE
)
UPDATE currant.executions AS e SET priority = $2 FROM found AS f WHERE e.id = f.id RETURNING e.id
