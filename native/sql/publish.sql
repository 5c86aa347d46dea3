-- Tell the watchers. $1 the event as JSON.
SELECT pg_notify('currant_events', $1::text)::text
