-- See the function `rerun`. $1 run, $2 step to go on with
SELECT currant.rerun($1::uuid, $2::integer)
