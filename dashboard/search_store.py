"""Every SQL statement of the search over people, homes, contacts, equipment and alerts."""

from typing import Any, Final

from psycopg.rows import dict_row

from dashboard.searching import Search
from telecare.db import Connection

Record = dict[str, Any]

# How well each word is found among somebody's words: as it is, as a beginning, or as it sounds (from three letters on;
# the double metaphone has two keys for names that are said in two ways). Every word must be found.
_FOUND: Final = """
    cross join lateral regexp_split_to_array(lower({text}), '[^[:alnum:]]+') as known
    cross join lateral (
        select bool_and(hit is not null) as every_word, sum(hit) as score
          from unnest(%(words)s::text[]) as asked
          cross join lateral (
              select max(case when one = asked then 4
                              when starts_with(one, asked) then 3
                              when length(asked) > 2 and asked ~ '^[[:alpha:]]+$' and one ~ '^[[:alpha:]]+$'
                                   and sounds_alike(one, asked) then 1 end) as hit
                from unnest(known) as one) as best) as found
"""
_PLACE: Final = "h.address, h.postcode, replace(h.postcode, ' ', '')"
_PERSON: Final = "p.id as person, p.name, p.known_as, p.state as person_state, h.id as home, h.address, h.postcode"

_PEOPLE: Final = f"""
    select {_PERSON}, o.id as alert, found.score
      from people p join homes h on h.id = p.home_id
      left join lateral (select id from alerts where person_id = p.id and closed_at is null limit 1) o on true
      {_FOUND.format(text=f"concat_ws(' ', p.name, p.known_as, {_PLACE})")}
     where found.every_word
     order by found.score desc, p.name, p.id limit %(limit)s
"""  # noqa: S608 - words of our own
_HOMES: Final = f"""
    select h.id as home, h.address, h.postcode
      from homes h {_FOUND.format(text=f"concat_ws(' ', {_PLACE})")}
     where found.every_word
     order by found.score desc, h.address, h.id limit %(limit)s
"""  # noqa: S608
_CONTACTS: Final = f"""
    select c.name as contact, c.relationship, c.phone, {_PERSON}
      from contacts c join people p on p.id = c.person_id join homes h on h.id = p.home_id
      {_FOUND.format(text="c.name")}
     where found.every_word and c.ended_at is null
     order by found.score desc, c.name, c.id limit %(limit)s
"""  # noqa: S608
_TELEPHONES: Final = f"""
    select n.whose, n.phone, {_PERSON}
      from (select id as home, null::uuid as person, 'the home' as whose, phone from homes
            union all select home_id, id, 'mobile', mobile from people
            union all select q.home_id, q.id, concat_ws(', ', c.name, nullif(c.relationship, '')), c.phone
                        from contacts c join people q on q.id = c.person_id) n
      join homes h on h.id = n.home
      left join lateral (select * from people where home_id = h.id and (n.person is null or id = n.person)
                          order by name limit 1) p on true
     where right(regexp_replace(n.phone, '[^0-9]', '', 'g'), length(%(digits)s)) = %(digits)s
     order by h.address, n.whose limit %(limit)s
"""  # noqa: S608
_EQUIPMENT: Final = """
    select n.name, n.kind, h.id as home, h.address, h.postcode
      from (select name, 'hub' as kind, home_id from hubs union all select name, kind, home_id from devices) n
      join homes h on h.id = n.home_id
     where starts_with(lower(n.name), %(name)s)
     order by n.name, h.address, h.id limit %(limit)s
"""
_ALERT: Final = """
    select a.id, a.kind, a.possible, a.priority, a.state, a.raised_at, p.name as person_name,
           coalesce(h.address, i.label) as address
      from alerts a left join people p on p.id = a.person_id left join homes h on h.id = a.home_id
      left join incidents i on i.alert_id = a.id
     where a.id = %(alert)s
"""


async def find(conn: Connection, search: Search, limit: int) -> dict[str, list[Record]]:
    """What is found, by kind, at most `limit` of each and the best first."""
    values: dict[str, Any] = {"words": list(search.words), "digits": search.digits, "name": search.name}
    values |= {"alert": search.alert, "limit": limit}
    asked = {
        "alerts": _ALERT if search.alert is not None else "",
        "people": _PEOPLE if search.words else "",
        "telephones": _TELEPHONES if search.digits else "",
        "contacts": _CONTACTS if search.words else "",
        "homes": _HOMES if search.words else "",
        "equipment": _EQUIPMENT if search.name else "",
    }
    found = {}
    async with conn.cursor(row_factory=dict_row) as cursor:
        for kind, sql in asked.items():
            found[kind] = await (await cursor.execute(sql.encode(), values)).fetchall() if sql else []
    return found
