-- How the event of a step stands: see the function `settle_event`. $1 run, $2 number
-- repeatable
SELECT v.is_over, v.value, v.seconds_left FROM currant.settle_event($1::uuid, $2::integer) AS v
