-- A batch without a name. $1 job. `now` is what delays count from.
INSERT INTO currant.batches (job) VALUES ($1::text) RETURNING id, now() AS now
