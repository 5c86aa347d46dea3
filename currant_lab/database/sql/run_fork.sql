-- See the function `fork`. $1 run, $2 id of the new run, $3 step to go on with
SELECT currant.fork($1::uuid, $2::uuid, $3::integer)
