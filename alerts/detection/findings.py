"""What the service itself finds enters as an alarm of the device `detector`, with a row that holds the sentence."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts.store import ARRIVED
from telecare.db import Connection
from telecare.ids import uuid7
from telecare.vocabulary import Kind

DETECTOR: Final = "detector"  # the device whose alarms the service itself raises


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found about a hub's home. `key` is its name at this hub: the same one enters once."""

    hub: str
    kind: Kind
    rule: str
    key: str
    sentence: str
    person: UUID | None = None


# All in one statement, so that two thousand silent hubs are one round trip.
RAISE: Final = """
    with found as (
        select * from unnest(%(ids)s::uuid[], %(hubs)s::text[], %(keys)s::text[], %(kinds)s::text[],
                             %(evidence)s::jsonb[], %(hashes)s::bytea[], %(people)s::uuid[], %(rules)s::text[],
                             %(sentences)s::text[])
                      as f (id, hub, key, kind, evidence, hash, person, rule, sentence)),
    entered as (
        insert into alarms (id, hub, given_id, device, kind, at, clock_synced, test, evidence, doubts, content_hash,
                            received_at)
        select id, hub, key, %(device)s, kind, %(now)s, true, false, evidence, '{}', hash, %(now)s from found
         order by id
        on conflict (hub, given_id) do nothing
        returning id),
    told as (
        insert into findings (alarm_id, person_id, rule, sentence)
        select f.id, f.person, f.rule, f.sentence from found f join entered using (id)),
    waiting as (
        insert into alarms_waiting (alarm_id, received_at) select id, %(now)s from entered),
    said as (select pg_notify(%(channel)s, ''))
    select entered.id from entered, said
"""


async def raise_findings(conn: Connection, found: Sequence[Finding], now: datetime) -> list[UUID | None]:
    """Let findings enter; the alarm's id for each, None for one that has entered before."""
    ids = [uuid7() for _ in found]
    rows = await (
        await conn.execute(
            RAISE,
            {
                "ids": ids,
                "hubs": [one.hub for one in found],
                "keys": [one.key for one in found],
                "kinds": [one.kind.value for one in found],
                "evidence": [Jsonb({"rule": one.rule, "sentence": one.sentence}) for one in found],
                "hashes": [hashlib.sha256(one.key.encode()).digest() for one in found],
                "people": [one.person for one in found],
                "rules": [one.rule for one in found],
                "sentences": [one.sentence for one in found],
                "device": DETECTOR,
                "now": now,
                "channel": ARRIVED,
            },
        )
    ).fetchall()
    entered = {row[0] for row in rows}
    return [alarm_id if alarm_id in entered else None for alarm_id in ids]


async def raise_finding(conn: Connection, found: Finding, now: datetime) -> UUID | None:
    """As `raise_findings`, for one."""
    (alarm_id,) = await raise_findings(conn, [found], now)
    return alarm_id
