-- Note that a contiguous run of ids belongs to a batch. $1 batch, $2 first id, $3 last id, $4 how many
WITH part AS (
    INSERT INTO currant.batch_parts (batch, first_id, last_id, size)
    VALUES ($1::bigint, $2::uuid, $3::uuid, $4::bigint)
    RETURNING batch, size
)
UPDATE currant.batches AS b SET size = b.size + part.size FROM part WHERE b.id = part.batch
