-- Part of other statements: the ids in question, $9 to $10, no further than an age allows. A client's clock may differ
-- from the database's: a minute is granted, and the true age decides.
id BETWEEN greatest($9::uuid, currant.first_id(now() - ($8::double precision + 60) * interval '1 second'))
       AND least($10::uuid, currant.first_id(now() - ($7::double precision - 60) * interval '1 second'))
