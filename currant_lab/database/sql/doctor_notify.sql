SELECT pg_notify('currant_doctor', $1::text)
