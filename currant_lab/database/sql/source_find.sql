-- The text of a version of a job's function, or of a cell. $1 version
-- repeatable
SELECT source FROM currant.sources WHERE version = $1
