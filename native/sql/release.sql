-- Give claimed but unstarted executions back: the attempt did not happen, the token stays up.
-- One that was cancelled meanwhile is left to the cancel sweep. $1 ids, $2 tokens. Returns the ids given back.
UPDATE currant.executions AS e
   SET status = 'pending', attempt = e.attempt - 1, claimed_by = NULL, claimed_at = NULL
  FROM unnest($1::uuid[], $2::integer[]) AS claim (id, token)
 WHERE e.id = claim.id AND e.token = claim.token AND e.status = 'running'
RETURNING e.id
