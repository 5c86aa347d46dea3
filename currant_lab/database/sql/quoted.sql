-- repeatable
SELECT pg_catalog.quote_ident($1)
