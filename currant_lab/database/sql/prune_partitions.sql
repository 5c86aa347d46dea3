-- The partitions of history whose ids are all older than $1, with their range, and the statements that lock and drop each.
-- Whether all in it finished early enough has still to be asked.
-- repeatable
WITH parts AS (
    SELECT c.oid, n.nspname, c.relname,
           regexp_match(pg_get_expr(c.relpartbound, c.oid), $q$FROM \('([0-9a-f-]+)'\) TO \('([0-9a-f-]+)'\)$q$) AS bounds
      FROM pg_inherits AS i
      JOIN pg_class AS c ON c.oid = i.inhrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE i.inhparent = 'currant.history'::regclass
)
SELECT bounds[1]::uuid AS low, bounds[2]::uuid AS high, format('DROP TABLE %I.%I', nspname, relname) AS drop,
       format('LOCK TABLE %I.%I IN SHARE MODE', nspname, relname) AS lock,
       pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = parts.oid), 'USAGE') AS may_drop
  FROM parts
 WHERE bounds IS NOT NULL AND bounds[2]::uuid <= currant.first_id($1::timestamptz)
 ORDER BY 1
