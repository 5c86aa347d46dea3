-- repeatable
SELECT clock_timestamp()
