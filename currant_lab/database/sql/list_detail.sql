-- All that is known of one execution, its arguments and result up to $2 bytes, its logs up to the last $2 characters.
-- $1 id
-- repeatable
SELECT e.id, e.job, e.queue, e.priority, e.status, e.attempt, e.retries, e.rescues, e.claimed_by, e.batch, e.created_at,
       e.due_at, coalesce(e.started_at, CASE WHEN e.status = 'running' THEN e.claimed_at END) AS started_at,
       e.finished_at, e.cancelling, e.progress, e.progress_note, e.source, e.error::text AS error,
       e.attempts::text AS attempts, right(e.logs, $2::integer) AS logs, length(e.logs) AS logs_size,
       substring(e.args_bytes FOR $2) AS args, octet_length(e.args_bytes) AS args_size,
       substring(e.result_bytes FOR $2) AS result, octet_length(e.result_bytes) AS result_size,
       s.source AS code, b.name AS batch_name, p.name AS pool_name, p.host, p.pid, p.kind,
       extract(epoch FROM now())::double precision AS now
  FROM currant.all_executions AS e
  LEFT JOIN currant.sources AS s ON s.version = e.source
  LEFT JOIN currant.batches AS b ON b.id = e.batch
  LEFT JOIN currant.pools AS p ON p.id = e.claimed_by
 WHERE e.id = $1::uuid
