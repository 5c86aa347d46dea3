-- The claims of pool $1 whose cancellation has been asked for.
SELECT id, token FROM currant.executions WHERE claimed_by = $1::integer AND cancelling
