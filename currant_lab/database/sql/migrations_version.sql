-- The version the schema is at. Fails when there is no schema: the caller tells that by the error's code.
-- repeatable
SELECT coalesce(max(version), 0) FROM currant.migrations
