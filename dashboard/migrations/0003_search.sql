-- Names are searched by how they sound, too: who rings says "Katherine", and the record says "Catharine". Where the server
-- cannot tell (it has no `fuzzystrmatch`), nothing sounds alike; `after_migrating` looks again each time.

create function sounds_alike(one text, other text) returns boolean language sql immutable strict parallel safe
    as $$ select false $$;
