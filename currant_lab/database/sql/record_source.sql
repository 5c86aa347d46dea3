-- Keep the text of a version of a job's function. $1 version, $2 job, $3 source
-- repeatable
INSERT INTO currant.sources (version, job, source) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING
