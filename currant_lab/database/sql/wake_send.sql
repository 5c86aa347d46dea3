-- $1 payloads for the pools, told at commit.
SELECT pg_notify('currant_wake', payload) FROM unnest($1::text[]) AS p (payload)
