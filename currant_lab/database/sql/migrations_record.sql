INSERT INTO currant.migrations (version, name) VALUES ($1, $2)
