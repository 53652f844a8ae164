"""The response team, its vehicles and shifts, keys and the key safe's code, on a real database."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import actions, code_store, keys_store, responders_store, shifts_store, vehicles_store
from alerts.errors import Conflict, Incomplete
from alerts.providers import DemoProvider
from alerts.responders_store import Brings
from alerts.responding import Doing, Kit, Responder, Skill
from alerts.visiting import VisitState
from telecare.db import Pool
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.settings import Settings
from tests.alerts.test_helping import Helping
from tests.helpers import one, rows

V = VisitState
HOUR = timedelta(hours=1)


class Responding(Helping):
    """Mary's alert, and two responders who work here."""

    async def begin(self) -> None:
        await super().begin()
        async with self.pool.connection() as conn:
            await conn.execute(
                """update staff set role = 'responder', display_name = 'Sam Hill' where username = 'sam';
                   insert into staff (id, username, display_name, role, password_hash)
                   values (gen_random_uuid(), 'rita', 'Rita Rae', 'responder', 'none')"""
            )

    async def team(self) -> dict[str, Responder]:
        found = await self.act(responders_store.team, self.now)
        return {one.username: one for one in found}

    async def on_shift(self, who: str, partner: str = "", vehicle: UUID | None = None, hours: float = 8) -> None:
        until = self.now + hours * HOUR
        await self.act(shifts_store.begin_shift, who, until, partner, vehicle, "second", self.now)

    async def key(self, tag: str = "12") -> UUID:
        home = await one(self.pool, "select home_id from alerts where id = %s", self.number)
        made: UUID = await self.act(keys_store.add, home, tag, "Board A", "operator", self.now)
        return made

    async def take_key(self, key: UUID, visit: UUID, taken_by: str = "Sam Hill", witness: str = "Ann Other") -> None:
        await self.act(
            keys_store.sign_out, self.settings, self.number, visit, key, taken_by, witness, "operator", self.now
        )

    async def code(self, visit: UUID, by: str = "sam") -> str:
        found = await self.act(code_store.for_responder, visit, by, self.now)
        return str(found[0])


@pytest.fixture
async def team(pool: Pool, settings: Settings) -> Responding:
    made = Responding(pool, settings, DemoProvider())
    await made.begin()
    return made


# ---------------------------------------------------------------- who they are and what they are doing


async def test_what_somebody_brings_is_kept_with_who_wrote_it(team: Responding) -> None:
    sam = (await team.team())["sam"]
    assert (sam.recorded, sam.skills, sam.standing(team.now).doing) == (False, frozenset(), Doing.OFF)
    council = await one(team.pool, "select name from councils limit 1")
    new = Brings(skills=[Skill.LIFTING], languages=["Punjabi", " "], place="Depot", district="at1 1aa", council=council)
    await team.act(responders_store.set_brings, "sam", new, "second", team.now)
    sam = (await team.team())["sam"]
    assert (sam.recorded, sam.skills, sam.languages) == (True, frozenset({Skill.LIFTING}), ("Punjabi",))
    assert (sam.place, sam.district, sam.council) == ("Depot", "AT1", council)
    (change,) = await team.act(responders_store.changes)
    assert (change["about"], change["about_name"], change["what"]) == ("sam", "Sam Hill", "brings")
    for wrong in (Brings(district="nowhere"), Brings(council="None such"), Brings(place="x" * 201),
                  Brings(languages=["x"] * 13)):  # fmt: skip
        with pytest.raises(Incomplete):
            await team.act(responders_store.set_brings, "sam", wrong, "second", team.now)
    for nobody in ("operator", "nobody"):
        with pytest.raises(NotFound):
            await team.act(responders_store.set_brings, nobody, new, "second", team.now)


async def test_what_somebody_is_doing_follows_from_their_visits(team: Responding) -> None:
    async def doing(who: str = "sam") -> Doing:
        return (await team.team())[who].standing(team.now).doing

    await team.on_shift("sam", "rita")
    assert await doing() is Doing.FREE
    visit = await team.send("sam")
    assert await doing() is Doing.ASKED
    await team.visit(visit, V.ACCEPTED)
    await team.visit(visit, V.EN_ROUTE, minutes=10, brief_read=True)
    assert await doing() is Doing.GOING
    await team.visit(visit, V.ARRIVED, how="pressed")
    assert await doing() is Doing.AT_SCENE
    assert await doing("rita") is Doing.OFF
    await team.visit(visit, V.ACCESS, how="key")
    await team.visit(visit, V.CHECKED)
    await team.visit(visit, V.LEFT, how_left="well")
    assert await doing() is Doing.REPORTING
    await team.later(60)
    await team.visit(visit, V.REPORTED, report="done")
    assert await doing() is Doing.FREE
    assert (await team.team())["sam"].standing(team.now).since == team.now - timedelta(seconds=60)
    await team.later(3601)
    assert (await team.team())["sam"].errands == []


async def test_the_second_of_a_visit_is_held_by_it_too_and_a_pair_knows_of_each_other(team: Responding) -> None:
    await team.on_shift("sam", "Rita Rae")
    await team.on_shift("rita")
    found = await team.team()
    assert (found["sam"].partner, found["rita"].partner) == ("Rita Rae", "Sam Hill")
    await team.act(actions.dispatch, team.settings, team.number, "operator", "sam", "", team.now, found["sam"].partner)
    assert (await team.team())["rita"].standing(team.now).doing is Doing.ASKED
    assert await team.act(responders_store.known_as, "rita rae") == "rita"
    assert await team.act(responders_store.known_as, "Car 2") == "Car 2"


async def test_shifts_begin_end_and_never_overlap(team: Responding) -> None:
    await team.on_shift("sam")
    await team.on_shift("sam", "rita")  # on shift already: from now as said now
    assert await one(team.pool, "select count(*) from responder_shifts") == 1
    await team.later(60)
    ahead = team.now + 7 * HOUR
    with pytest.raises(Incomplete, match="another shift"):
        await team.act(shifts_store.begin_shift, "sam", ahead + HOUR, "", None, "sam", team.now, from_at=ahead - HOUR)
    later = team.now + 20 * HOUR
    await team.act(shifts_store.begin_shift, "sam", later + HOUR, "", None, "sam", team.now, from_at=later)
    assert await team.act(shifts_store.next_shifts, team.now) == {"sam": later}
    await team.act(shifts_store.end_shift, "sam", "sam", team.now)
    assert (await team.team())["sam"].shift is None
    await team.act(shifts_store.end_shift, "sam", "sam", team.now)  # and the next one
    await team.act(shifts_store.end_shift, "sam", "sam", team.now)
    assert await team.act(shifts_store.next_shifts, team.now) == {}
    for until, partner, vehicle, begins in (
        (team.now, "", None, None), (team.now + 25 * HOUR, "", None, None), (team.now + HOUR, "sam", None, None),
        (team.now + HOUR, "", uuid7(), None), (team.now + HOUR, "", None, team.now - HOUR),
    ):  # fmt: skip
        with pytest.raises(Incomplete):
            await team.act(shifts_store.begin_shift, "sam", until, partner, vehicle, "sam", team.now, from_at=begins)
    with pytest.raises(psycopg.errors.CheckViolation, match="no responder"):
        await team.act(_insert_shift, "operator")
    assert await rows(team.pool, "select distinct who from response_log order by 1") == [("sam",), ("second",)]


async def _insert_shift(conn: Any, who: str) -> None:
    await conn.execute(
        "insert into responder_shifts (id, username, from_at, until_at) values (%s, %s, now(), now() + interval '1 h')",
        (uuid7(), who),
    )


async def test_somebody_who_is_away_says_until_when_and_why(team: Responding) -> None:
    back = team.now + timedelta(minutes=30)
    with pytest.raises(Incomplete, match="not on shift"):
        await team.act(shifts_store.set_away, "sam", back, "a meal", "sam", team.now)
    await team.on_shift("sam")
    for until, why in ((team.now, "a meal"), (back, " ")):
        with pytest.raises(Incomplete):
            await team.act(shifts_store.set_away, "sam", until, why, "sam", team.now)
    await team.act(shifts_store.set_away, "sam", back, "a meal", "sam", team.now)
    assert (await team.team())["sam"].standing(team.now).words(team.now) == "back in 30 min (a meal)"
    await team.act(shifts_store.set_away, "sam", None, "", "sam", team.now)
    assert (await team.team())["sam"].standing(team.now).doing is Doing.FREE


async def test_a_vehicles_kit_goes_along_and_may_be_faulty(team: Responding) -> None:
    van = await team.act(vehicles_store.add_vehicle, "Van 1", "second", team.now)
    with pytest.raises(Incomplete, match="of this name"):
        await team.act(vehicles_store.add_vehicle, "van 1", "second", team.now)
    cushion = await team.act(vehicles_store.add_kit, van, Kit.CUSHION_LIFTER, "second", team.now)
    gloves = await team.act(vehicles_store.add_kit, van, Kit.GLOVES, "second", team.now)
    await team.on_shift("sam", vehicle=van)
    sam = (await team.team())["sam"]
    assert [item.kind for item in sam.works(*Kit)] == [Kit.CUSHION_LIFTER, Kit.GLOVES]
    with pytest.raises(NotFound):  # it is in sam's hands
        await team.act(vehicles_store.set_fault, cushion, "leaks", "rita", team.now, only_in_hands_of="rita")
    await team.act(vehicles_store.set_fault, cushion, "leaks", "sam", team.now, only_in_hands_of="sam")
    await team.act(vehicles_store.remove_kit, gloves, "second", team.now)
    sam = (await team.team())["sam"]
    assert sam.works(*Kit) == []
    (vehicle,) = await team.act(vehicles_store.vehicles, team.now)
    assert (vehicle["with_whom"], [item["fault"] for item in vehicle["kit"]]) == (["Sam Hill"], ["leaks"])
    await team.act(vehicles_store.set_fault, cushion, "", "second", team.now)
    assert len((await team.team())["sam"].works(Kit.CUSHION_LIFTER)) == 1
    await team.act(vehicles_store.retire_vehicle, van, "second", team.now)
    assert await team.act(vehicles_store.vehicles, team.now) == []
    with pytest.raises(NotFound):
        await team.act(vehicles_store.add_kit, van, Kit.GLOVES, "second", team.now)


# ---------------------------------------------------------------- keys


async def test_a_key_goes_to_a_visit_with_two_names_and_comes_back(team: Responding) -> None:
    key, visit = await team.key(), await team.send()
    for taken_by, witness in (("", "Ann"), ("Sam", " "), ("Sam Hill", "sam hill ")):
        with pytest.raises(Incomplete):
            await team.take_key(key, visit, taken_by, witness)
    await team.take_key(key, visit)
    with pytest.raises(Conflict, match="Sam Hill has key 12"):
        await team.take_key(key, visit, "Rita Rae")
    (found,) = await team.act(keys_store.out, team.now)
    assert (found["tag"], found["taken_by"], found["witness"], found["overdue"]) == (
        "12",
        "Sam Hill",
        "Ann Other",
        False,
    )
    with pytest.raises(Refused, match="out"):
        await team.act(keys_store.give_back, found["home_id"], key, "operator", team.now)
    await team.later(team.settings.key_back_s)
    assert (await team.act(keys_store.out, team.now))[0]["overdue"]
    early = team.now - 5 * HOUR
    with pytest.raises(Incomplete, match="at: "):
        await team.act(keys_store.back_in, key, "Ann", "second", team.now, early)
    await team.act(keys_store.back_in, key, "Ann", "second", team.now, team.now - timedelta(minutes=3))
    with pytest.raises(Conflict, match="not out"):
        await team.act(keys_store.back_in, key, "Ann", "second", team.now)
    assert await team.act(keys_store.out, team.now) == []
    words = [entry["text"] for (entry,) in await rows(
        team.pool, "select detail from alert_log where what = 'visit' and detail ->> 'key' = '12' order by id"
    )]  # fmt: skip
    assert words == ["Key 12 signed out to Sam Hill; Ann Other saw it", "Key 12 is back; Ann saw it"]
    await team.act(keys_store.give_back, found["home_id"], key, "operator", team.now)
    assert await team.act(keys_store.of_home, found["home_id"], team.now) == []
    again = await team.key()  # the number is free again
    with pytest.raises(Refused, match="number"):
        await team.key()
    assert again != key


async def test_a_key_comes_back_after_the_alert_is_closed(team: Responding) -> None:
    key, visit = await team.key(), await team.inside()
    await team.take_key(key, visit)
    await team.visit(visit, V.CHECKED)
    await team.visit(visit, V.LEFT, how_left="well")
    with pytest.raises(Conflict, match="over"):
        await team.take_key(await team.key("13"), visit)
    await team.close(team.number)
    log = await one(team.pool, "select count(*) from alert_log")
    await team.act(keys_store.back_in, key, "Ann", "second", team.now)
    assert await one(team.pool, "select count(*) from alert_log") == log
    assert await one(team.pool, "select state from visit_steps order by id desc limit 1") == "key-back"


async def test_the_database_holds_what_must_never_be_true_of_a_key(team: Responding) -> None:
    key, visit = await team.key(), await team.send()
    other = await team.act(_other_home)
    foreign = await team.act(keys_store.add, other, "99", "Board B", "operator", team.now)
    with pytest.raises(NotFound):
        await team.take_key(foreign, visit)
    insert = """insert into key_sign_outs (id, key_id, visit_id, taken_by, witness, out_at, due_at)
                values (gen_random_uuid(), %s, %s, %s, %s, now(), now() + interval '1 h')"""
    with pytest.raises(psycopg.errors.CheckViolation, match="not one of the home"):
        await team.act(_run, insert, (foreign, visit, "A", "B"))
    with pytest.raises(psycopg.errors.CheckViolation, match="two_names"):
        await team.act(_run, insert, (key, visit, "Sam", " sam "))
    await team.act(_run, insert, (key, visit, "A", "B"))
    with pytest.raises(psycopg.errors.UniqueViolation, match="key_sign_outs_one_open"):
        await team.act(_run, insert, (key, visit, "C", "D"))
    with pytest.raises(psycopg.errors.CheckViolation, match="this key is out"):
        await team.act(_run, "update home_keys set given_back_at = now() where id = %s", (key,))
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
        await team.act(_run, "update response_log set who = 'x' where who <> %s", ("y",))


async def _run(conn: Any, sql: str, values: tuple[Any, ...]) -> None:
    await conn.execute(sql, values)


async def _other_home(conn: Any) -> UUID:
    row = await (
        await conn.execute(
            """insert into homes (id, council_id, address)
               select gen_random_uuid(), id, 'Elsewhere' from councils limit 1 returning id"""
        )
    ).fetchone()
    found: UUID = row[0]
    return found


# ---------------------------------------------------------------- the code


async def test_the_code_is_for_the_responder_whose_visit_is_under_way(team: Responding) -> None:
    visit = await team.send("sam")
    with pytest.raises(Conflict, match="say first that you go"):
        await team.code(visit)
    await team.visit(visit, V.ACCEPTED)
    assert await team.code(visit) == "1234"
    for somebody in ("rita", "operator"):
        with pytest.raises(Conflict, match="not yours"):
            await team.code(visit, somebody)
    await team.visit(visit, V.EN_ROUTE, minutes=10, brief_read=True)
    assert await team.code(visit) == "1234"
    await team.visit(visit, V.ARRIVED, how="pressed")
    await team.visit(visit, V.NO_ACCESS, tried="bell")
    assert await team.code(visit) == "1234"
    await team.visit(visit, V.ACCESS, how="key safe")
    await team.visit(visit, V.CHECKED)
    assert await team.code(visit) == "1234"  # they fetch the lifter from the van
    await team.visit(visit, V.LEFT, how_left="well")
    with pytest.raises(Conflict, match="over"):
        await team.code(visit)
    with pytest.raises(NotFound):
        await team.code(uuid7())
    texts = await rows(team.pool, "select who, detail ->> 'text' from alert_log where what = 'note'")
    assert texts == [("sam", "Looked at the key safe's code, for their own visit")] * 4


@pytest.mark.parametrize("to", [V.REFUSED, V.CANCELLED])
async def test_who_does_not_go_sees_no_code(team: Responding, to: VisitState) -> None:
    visit = await team.send("sam")
    await team.visit(visit, V.ACCEPTED)
    await team.visit(visit, to, reason="called away")
    with pytest.raises(Conflict, match="over"):
        await team.code(visit)


async def test_an_operator_reads_the_code_to_somebody_who_is_on_the_way(team: Responding) -> None:
    async def read(reader: str, whom: str = "", why: str = "") -> Any:
        return await team.act(code_store.for_operator, team.number, reader, whom, why, "second", team.now)

    assert await team.act(code_store.readers, team.number) == []
    for reader, whom, why in (("", "", ""), ("visit:x", "", ""), ("else", "", "ill"), ("else", "A crew", "")):
        with pytest.raises(Incomplete):
            await read(reader, whom, why)
    assert (await read("else", "A crew at the door", "999 by the neighbour"))[0] == "1234"
    asked = await team.send("rita")
    going = await team.send("sam")
    await team.visit(going, V.ACCEPTED)
    call = await team.ring_999(reference="CAD 7")
    found = {one["value"]: one["text"] for one in await team.act(code_store.readers, team.number)}
    assert found == {f"visit:{going}": "Sam Hill", f"service:{call}": "the ambulance CAD 7"}
    assert (await read(f"service:{call}"))[2] == "the ambulance CAD 7"
    with pytest.raises(Incomplete):
        await read(f"visit:{asked}")
    log = [text for (text,) in await rows(
        team.pool, "select detail ->> 'text' from alert_log where what = 'note' order by id"
    )]  # fmt: skip
    assert log == [
        "Looked at the key safe's code, to read it to A crew at the door: 999 by the neighbour",
        "Looked at the key safe's code, to read it to the ambulance CAD 7",
    ]
