"""What the dashboard keeps: sessions, outcomes, who looked at what; and how names are compared."""

from typing import Any

import psycopg

ORDER = 3  # after the register

# The double metaphone has two keys for names that are said in two ways.
_BY_SOUND = """
    create or replace function sounds_alike(one text, other text) returns boolean
        language sql immutable strict parallel safe
    as $$
        select dmetaphone(one) in (dmetaphone(other), dmetaphone_alt(other)) or dmetaphone_alt(one) = dmetaphone(other)
    $$
"""
_CAN_AND_DOES_NOT = """
    select 1 from pg_available_extensions e, pg_proc f
     where e.name = 'fuzzystrmatch' and f.oid = 'sounds_alike(text,text)'::regprocedure
       and f.prosrc not like '%dmetaphone%'
"""


def after_migrating(conn: psycopg.Connection[Any]) -> str | None:
    """Names are compared by their sound once the server has the extension for it; what was done, in words."""
    if conn.execute(_CAN_AND_DOES_NOT).fetchone() is None:
        return None
    with conn.transaction():
        conn.execute("create extension if not exists fuzzystrmatch")  # trusted: the database's owner may
        conn.execute(_BY_SOUND)
    return "names are searched by their sound"
