-- repeatable
-- The settings that decide about speed.
SELECT name, current_setting(name) AS setting
  FROM pg_settings
 WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'wal_level',
                'max_wal_size', 'wal_compression')
