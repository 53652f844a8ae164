-- Names are searched by how they sound, too: who rings says "Katherine", and the record says "Catharine".

create extension if not exists fuzzystrmatch;   -- trusted: the database's owner may
