-- The schema that a run of the bench has made for itself.
DROP SCHEMA IF EXISTS currant CASCADE
