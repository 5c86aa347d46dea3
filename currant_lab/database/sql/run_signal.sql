-- Send a signal: see the function `send_signal`. $1 run, $2 name, $3 payload
SELECT currant.send_signal($1::uuid, $2::text, $3::bytea)
