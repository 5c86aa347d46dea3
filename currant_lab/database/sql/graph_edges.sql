-- What these executions wait for, or waited for: a parent each; of whole batches, with the batch. $1 ids
-- repeatable
SELECT d.child, d.parent, NULL::bigint AS batch, NULL::uuid AS last_id
  FROM currant.dependencies AS d WHERE d.child = ANY ($1::uuid[])
UNION ALL
SELECT d.child, d.first_id, d.batch, d.last_id
  FROM currant.batch_dependencies AS d WHERE d.child = ANY ($1::uuid[])
