-- One migration at a time in a schema; let go of at the end of the transaction, so that it works behind a pooler.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('currant.migrations', 0))
