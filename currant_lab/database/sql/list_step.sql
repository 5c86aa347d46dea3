-- What a step itself holds: the answer of a call, an event, a moment. $1 run, $2 number, $3 bytes of it at most
-- repeatable
SELECT substring(s.result FOR $3::integer) AS result, octet_length(s.result) AS result_size
  FROM currant.steps AS s WHERE s.execution = $1::uuid AND s.number = $2::integer
