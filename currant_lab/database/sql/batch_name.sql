-- Make sure that a named batch exists. Waits for a transaction that is making it right now. $1 name, $2 job
INSERT INTO currant.batches (name, job) VALUES ($1::text, $2::text) ON CONFLICT (name) DO NOTHING
