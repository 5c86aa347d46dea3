-- The encoded arguments and result of one execution. $1 id
-- repeatable
SELECT args_bytes AS args, result_bytes AS result FROM currant.all_executions WHERE id = $1::uuid
