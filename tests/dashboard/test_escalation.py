"""Escalation plans on their pages and in the database: who is asked, in which order, when and how."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from starlette.datastructures import FormData

from alerts import actions, asks, asks_store, reach_store, telling
from dashboard import escalation_forms as forms
from telecare.db import database_now
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.register import contacts, homes, rota
from telecare.register.homes import NewContact
from telecare.rota import Absence, Channel, ServiceType, Window
from tests.dashboard.test_states import died, page
from tests.dashboard.world import World, csrf_of, send_messages
from tests.helpers import one, rows

EVERY_DAY = frozenset(range(1, 8))
NOON, NIGHT = datetime(2026, 11, 27, 12, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "name": "Ali Khan", "relationship": "son", "phone": "07700 900 555", "email": "ali@example.org", "language": "Urdu",
    "has_key": "yes", "night": "yes", "night_said": "by telephone", "quiet_from": "23:00", "quiet_until": "6.30",
    "channels[]": ["push", "sms", "voice", "email"],
}  # fmt: skip


async def contact_ids(world: World, hub: str = "hub-1") -> list[UUID]:
    found = await rows(world.pool, "select id from contacts where person_id = %s order by place", world.people[hub])
    return [row[0] for row in found]


async def reached(world: World, contact: UUID, *channels: Channel, hub: str = "hub-1") -> None:
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        for channel in channels or (Channel.SMS, Channel.VOICE):
            await rota.note_test(conn, world.people[hub], contact, channel, True, "supervisor", now)


async def on_a_rota(world: World, hub: str) -> None:
    """A person whose contacts have every kind of entry, and hours in which nobody can be asked."""
    person = world.people[hub]
    first, second, *_ = await contact_ids(world, hub)
    for contact in (first, second):
        await reached(world, contact, hub=hub)
    async with world.pool.connection() as conn:
        now = await database_now(conn)
        for contact in (first, second):
            await rota.add_window(conn, person, contact, Window(EVERY_DAY, 9 * 60, 17 * 60), "supervisor", now)
        days = Absence(now.date() + timedelta(days=20), now.date() + timedelta(days=30), "holiday, with her family")
        await rota.add_absence(conn, person, first, days, "supervisor", now)
        child = NewContact(name="Sam Ashworth", relationship="grandson", phone="07700 900789", under_18=True)
        await contacts.add(conn, person, child, "supervisor", now)
        await rota.note_test(conn, person, second, Channel.SMS, False, "supervisor", now + timedelta(seconds=1))
        await contacts.set_service_type(conn, person, ServiceType.SILVER, "supervisor", now)


async def sent(world: World, path: str, by: str = "supervisor", **values: Any) -> tuple[int, str]:
    """The status and the words of the answer to a form, which keeps or refuses what was entered."""
    whole = f"/people/{world.people['hub-1']}{path}"
    async with world.browser_session(by) as browser:
        data = {"csrf_token": await csrf_of(browser, "/plans"), **values}
        answer = await browser.post(whole, data=data)
    return answer.status_code, " ".join(answer.text.split())


async def next_name(world: World, number: int, now: datetime, contact: UUID | None = None) -> str:
    async with world.pool.connection() as conn:
        found = await asks_store.next_contact(conn, number, contact, now)
        nobody = await asks_store.why_nobody(conn, number, now, contact)
        return found.name if found else nobody.why if nobody else ""


# ---------------------------------------------------------------- who is asked


async def test_who_is_asked_follows_rota_absence_and_night(served: World) -> None:
    number, person = await served.alert("hub-1"), served.people["hub-1"]
    susan, tom = await contact_ids(served)
    assert await next_name(served, number, NIGHT) == "Susan Ashworth"  # no rota: as ever
    await reached(served, susan)
    async with served.pool.connection() as conn:
        await rota.add_window(conn, person, susan, Window(EVERY_DAY, 9 * 60, 17 * 60), "admin", NOON)
        assert (await asks_store.next_contact(conn, number, None, NOON)).ways[0].channel is Channel.SMS  # type: ignore[union-attr]
    assert await next_name(served, number, NOON) == "Susan Ashworth"
    assert await next_name(served, number, NIGHT) == "Tom Hill"
    async with served.pool.connection() as conn:
        await conn.execute("update contacts set at_night = false where id = %s", (tom,))
        await rota.add_absence(conn, person, susan, Absence(NOON.date(), NOON.date(), "holiday"), "admin", NOON)
    assert await next_name(served, number, NOON) == "Tom Hill"
    assert await next_name(served, number, NIGHT) == (
        "nobody can be asked now: Susan Ashworth is not on the rota until Sat 09:00; Tom Hill has not agreed to be "
        "called at night and is left in peace until Sat 07:00. Nobody until Sat 07:00, then Tom Hill"
    )
    assert await next_name(served, number, NIGHT, susan) == "Susan Ashworth"  # an operator may pick her
    assert "left in peace" in await next_name(served, number, NIGHT, tom)


async def test_where_nobody_can_be_asked_the_log_says_why_and_it_sounds_again(served: World) -> None:
    number = await served.alert("hub-1")
    await served.claim(number)
    async with served.pool.connection() as conn:
        await conn.execute("update contacts set at_night = false")
        for chosen in (None, served.contacts["hub-1"]):
            assert not await actions.ask_contact(conn, served.settings, number, "operator", NIGHT, chosen)
        await asks.ask_unless_asked(conn, served.settings, number, NIGHT)
    log = "select what, coalesce(detail ->> 'why', detail ->> 'because') from alert_log where alert_id = %s order by id"
    said = (await rows(served.pool, log, number))[-6:]
    assert [what for what, _ in said] == ["notify-failed", "re-sounded"] * 3
    assert all("Susan Ashworth has not agreed to be called at night" in why for _, why in said)
    assert await one(served.pool, "select count(*) from messages") == 0


async def test_nobody_under_18_is_asked_whatever_else_is_so(served: World) -> None:
    number = await served.alert("hub-1")
    susan, tom = await contact_ids(served)
    async with served.pool.connection() as conn:
        await conn.execute("update contacts set under_18 = true, at_night = false where id = %s", (susan,))
    assert await next_name(served, number, NOON) == "Tom Hill"
    assert "is under 18 and is never asked to go" in await next_name(served, number, NOON, susan)
    text = await page(served, f"/people/{served.people['hub-1']}/escalation")
    assert "Susan Ashworth is under 18: never asked to go, never called at night. Name another contact" in text
    with pytest.raises(psycopg.errors.CheckViolation):
        await one(served.pool, "update contacts set under_18 = true, at_night = true where id = %s returning 1", tom)


async def test_nobody_is_written_to_about_somebody_who_has_died(served: World) -> None:
    number = await served.alert("hub-1")
    await died(served)
    assert await next_name(served, number, NOON) == "has died: nobody is written to"
    assert "Nobody is written to about Mary Ashworth any more" in await page(
        served, f"/people/{served.people['hub-1']}/escalation"
    )


# ---------------------------------------------------------------- gaps


async def test_gaps_of_everybody_are_found_at_once(served: World) -> None:
    await served.add_home("hub-2", "Ravi Patel")
    await on_a_rota(served, "hub-1")
    async with served.pool.connection() as conn:
        found = await reach_store.gaps_within(conn, NOON)
        assert set(found) == {served.people["hub-1"]}
        ends = [(span.start, span.end) for span in found[served.people["hub-1"]]]
        assert ends == [
            (NOON.replace(hour=17), NOON.replace(day=28, hour=9)),
            (NOON.replace(day=28, hour=17), NOON.replace(day=29, hour=9)),
        ]
        assert await reach_store.gaps_within(conn, NOON, hours=2) == {}
    text = await page(served, "/plans")
    assert "Nobody can be asked: " in text
    assert "17:00 to " in text
    assert "Silver needs 3 contacts with keys" in text
    assert "Mary Ashworth" in text
    assert "Ravi Patel" not in text
    assert "Nobody can be asked: " in await page(served, f"/people/{served.people['hub-1']}")


async def test_a_plan_with_nobody_on_it_is_shown(served: World) -> None:
    async with served.pool.connection() as conn:
        low = homes.NewHome(address="2 Low Street", people=(homes.NewPerson(name="Ann Lee"),))
        await homes.enrol_hub(conn, "hub-low", await homes.add_home(conn, low))
    text = await page(served, "/plans", "admin")
    assert "Ann Lee" in text
    assert "There is no contact: nobody can be asked" in text


async def test_two_thousand_plans_are_one_page(served: World) -> None:
    """Not how fast: that the page holds, and says how many there are."""
    home = served.homes["hub-1"]
    async with served.pool.connection() as conn, conn.cursor() as cursor:
        people = [(uuid7(), home, f"Person {number}") for number in range(2000)]
        await cursor.executemany("insert into people (id, home_id, name) values (%s, %s, %s)", people)
        plans = await reach_store.all_plans(conn)
    assert len(plans) == 2001
    assert len(reach_store.to_mend(plans, NOON)) == 2000
    text = await page(served, "/plans")
    assert "2000 of 2001. These are the first 300" in text


# ---------------------------------------------------------------- on the page


async def test_a_supervisor_adds_changes_and_orders_contacts(served: World) -> None:
    assert (await sent(served, "/contacts", **GOOD))[0] == 303
    ids = await contact_ids(served)
    kept = await rows(
        served.pool,
        """select name, phone, language, has_key, under_18, at_night, night_said, quiet_from, quiet_until
             from contacts where id = %s""",
        ids[2],
    )
    assert kept == [("Ali Khan", "07700 900 555", "Urdu", True, False, True, "by telephone", time(23), time(6, 30))]
    assert (await sent(served, f"/contacts/{ids[2]}/move", to="earlier"))[0] == 303
    assert await contact_ids(served) == [ids[0], ids[2], ids[1]]
    assert (await sent(served, f"/contacts/{ids[0]}/move", to="later"))[0] == 303
    assert await contact_ids(served) == [ids[2], ids[0], ids[1]]
    assert (await sent(served, f"/contacts/{ids[2]}/move", to="earlier"))[0] == 303  # is the first already
    assert (await sent(served, f"/contacts/{ids[2]}", **GOOD | {"under_18": "yes", "night": "yes"}))[0] == 303
    assert await rows(served.pool, "select under_18, at_night from contacts where id = %s", ids[2]) == [(True, False)]
    assert (await sent(served, "/escalation", service_type="carer-alert"))[0] == 303
    assert "Carer alert: contacts are asked at once" in await page(served, f"/people/{served.people['hub-1']}")
    log = await rows(served.pool, "select who, what from escalation_log order by id")
    assert [what for _, what in log] == [
        "contact-added", "contact-moved", "contact-moved", "contact-changed", "service-type-changed",
    ]  # fmt: skip
    assert {who for who, _ in log} == {"supervisor"}
    before = await one(served.pool, "select detail -> 'before' from escalation_log where what = 'contact-changed'")
    assert before == {"under_18": False, "at_night": True}


async def test_rota_absence_and_test_on_the_page(served: World) -> None:
    susan = (await contact_ids(served))[0]
    path = f"/contacts/{susan}/rota"
    window: dict[str, Any] = {"do": "window", "days[]": ["5", "6"], "from": "22:00", "until": "7:00"}
    status, text = await sent(served, path, **window)
    assert status == 422
    assert "Susan Ashworth cannot be on a rota before two ways to reach them have been tested (so far: none)" in text
    for channel in ("sms", "voice"):
        assert (await sent(served, path, do="way", channel=channel, arrived="yes"))[0] == 303
    assert (await sent(served, path, **window))[0] == 303
    assert (await sent(served, path, do="absence", first="24/12/2026", last="26/12/2026", why="Christmas"))[0] == 303
    text = await page(served, f"/people/{served.people['hub-1']}/escalation", "supervisor")
    assert "Fri, Sat 22:00 to 07:00" in text
    assert "Away 24 Dec 2026 to 26 Dec 2026: Christmas" in text
    assert "Text message arrived" in text
    for table in ("contact_windows", "contact_absences"):
        made = await one(served.pool, f"select id from {table}")  # noqa: S608
        assert (await sent(served, path, do="remove", one=made))[0] == 303
        assert (await sent(served, path, do="remove", one=made))[0] == 303  # gone is gone
        assert await one(served.pool, f"select count(*) from {table}") == 0  # noqa: S608
    whats = await rows(served.pool, "select what from escalation_log order by id")
    assert [what for (what,) in whats] == [
        "way-tested", "way-tested", "window-added", "absence-added", "window-removed", "absence-removed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "values", "words"),
    [
        ("/contacts", GOOD | {"phone": "ask at the shop"}, "Enter a telephone number"),
        ("/contacts", GOOD | {"phone": "123"}, "too short"),
        ("/contacts", GOOD | {"name": " "}, "Enter a name"),
        ("/contacts", GOOD | {"email": "none"}, "Enter an e-mail address"),
        ("/contacts", GOOD | {"night_said": ""}, "Write down how they said so"),
        ("/contacts", GOOD | {"night": "maybe"}, "Choose whether they may be called at night"),
        ("/contacts", GOOD | {"channels[]": []}, "Choose one way or more"),
        ("/contacts", GOOD | {"channels[]": ["pigeon"]}, "Choose one way or more"),
        ("/contacts", GOOD | {"quiet_from": "25:00"}, "Enter a time of day"),
        ("/contacts", GOOD | {"name": "x" * 201}, "At most 200 characters"),
        ("/contacts/FIRST", GOOD | {"phone": "none"}, "Enter a telephone number"),
        ("/contacts/FIRST/rota", {"do": "window", "from": "8:00", "until": "9:00"}, "Choose one day or more"),
        ("/contacts/FIRST/rota", {"do": "window", "days[]": "1", "from": "8:00", "until": "8:00"}, "window is empty"),
        ("/contacts/FIRST/rota", {"do": "window", "days[]": "1", "from": "8", "until": ""}, "Enter a time of day"),
        ("/contacts/FIRST/rota", {"do": "absence", "first": "soon", "last": "1/1/2027", "why": "x"}, "Enter a day"),
        ("/contacts/FIRST/rota", {"do": "absence", "first": "2/1/2027", "last": "1/1/2027", "why": "x"}, "before the"),
        ("/contacts/FIRST/rota", {"do": "absence", "first": "31/2/2027", "last": "1/3/2027", "why": ""}, "Enter a day"),
        ("/contacts/FIRST/rota", {"do": "way", "channel": "email", "arrived": "yes"}, "no such way"),
        ("/contacts/FIRST/rota", {"do": "way", "channel": "pigeon", "arrived": "yes"}, "Choose what was tried"),
        ("/escalation", {"service_type": "platinum"}, "Choose who answers"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_said_and_changes_nothing(
    served: World, path: str, values: dict[str, Any], words: str
) -> None:
    before = await rows(served.pool, "select * from contacts order by id")
    status, text = await sent(served, path.replace("FIRST", str(served.contacts["hub-1"])), **values)
    assert status == 422
    assert words in text
    assert await rows(served.pool, "select * from contacts order by id") == before
    assert await one(served.pool, "select count(*) from escalation_log") == 0


async def test_an_operator_reads_and_does_not_change(served: World) -> None:
    path = f"/people/{served.people['hub-1']}/escalation"
    text = await page(served, path, "operator")
    assert "Susan Ashworth" in text
    assert "A supervisor or an administrator can change this" in text
    assert "/rota" not in text
    assert "/rota" in await page(served, path, "admin")
    assert (await sent(served, "/contacts", "operator", **GOOD))[0] == 403


# ---------------------------------------------------------------- in the register


async def test_a_number_that_is_none_is_refused_when_a_home_is_added(served: World) -> None:
    person = homes.NewPerson(name="Ann Lee", contacts=(NewContact(name="Jo", phone="none"),))
    async with served.pool.connection() as conn:
        with pytest.raises(Refused, match="phone: Enter a telephone number"):
            await homes.add_home(conn, homes.NewHome(address="2 Low Street", people=(person,)))
    assert await one(served.pool, "select count(*) from homes where address = '2 Low Street'") == 0


async def test_another_persons_contact_is_not_found(served: World) -> None:
    await served.add_home("hub-2", "Ravi Patel")
    ravi, marys = served.people["hub-2"], served.contacts["hub-1"]
    window, days = Window(EVERY_DAY, 0, 1440), Absence(date(2027, 1, 1), date(2027, 1, 2), "x")
    async with served.pool.connection() as conn:
        for what in (
            contacts.change(conn, ravi, marys, NewContact(name="X"), "admin", NOON),
            contacts.move(conn, ravi, marys, 1, "admin", NOON),
            rota.add_window(conn, ravi, marys, window, "admin", NOON),
            rota.add_absence(conn, ravi, marys, days, "admin", NOON),
            rota.remove(conn, ravi, marys, marys, "admin", NOON),
            rota.note_test(conn, ravi, marys, Channel.SMS, True, "admin", NOON),
        ):
            with pytest.raises(NotFound):
                await what


async def test_what_must_never_be_true_cannot_be_written(served: World) -> None:
    susan = served.contacts["hub-1"]
    into = "insert into contact_windows values (gen_random_uuid(), %s, {}) returning 1"
    with pytest.raises(psycopg.errors.CheckViolation, match="reached by two ways"):
        await one(served.pool, into.format("'{1}', 0, 60"), susan)
    await reached(served, susan)
    for wrong in (
        "'{}', 0, 60",
        "'{8}', 0, 60",
        "'{1}', 60, 60",
        "'{1}', 60, 1501",
        "'{1}', 1440, 1500",
        "'{null}', 0, 1",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            await one(served.pool, into.format(wrong), susan)
    assert await one(served.pool, into.format("'{1}', 0, 1440"), susan) == 1
    for change in ("delete from escalation_log", "update escalation_log set who = 'x'", "truncate escalation_log"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await one(served.pool, change)


async def test_a_test_message_that_arrives_tests_the_way_and_another_number_is_not_tested(served: World) -> None:
    susan = served.contacts["hub-1"]

    async def works() -> list[tuple[Any, ...]]:
        return await rows(served.pool, "select channel from contact_ways_that_work where contact_id = %s", susan)

    async def test_message() -> None:
        async with served.pool.connection() as conn:
            contact = {"id": susan, "name": "Susan Ashworth", "phone": "07700 900456"}
            now = await database_now(conn)
            await conn.execute("update messages set idempotency_key = idempotency_key || '-before'")
            assert await telling.send_test(conn, served.settings, contact, now, now)

    await test_message()
    assert await works() == []
    await send_messages(served)
    assert await works() == [("sms",)]
    await one(served.pool, "update messages set state = 'failed' where purpose = 'test' returning 1")
    assert await works() == []
    await test_message()
    await send_messages(served)
    assert await works() == [("sms",)]
    async with served.pool.connection() as conn:
        new = NewContact(name="Susan Ashworth", phone="07700 900457")
        await contacts.change(conn, served.people["hub-1"], susan, new, "admin", NOON)
    assert await works() == []


async def test_many_who_change_the_order_at_once_leave_an_order(served: World) -> None:
    person = served.people["hub-1"]

    async def one_who(number: int) -> None:
        ids = await contact_ids(served)
        async with served.pool.connection() as conn:
            if number % 3 == 0:
                ids.append(await contacts.add(conn, person, NewContact(name=f"Contact {number}"), "admin", NOON))
            for contact in ids:
                await contacts.move(conn, person, contact, (-1) ** number, "admin", NOON)

    await asyncio.gather(*(one_who(number) for number in range(4)))
    assert await rows(served.pool, "select place from contacts order by place") == [(1,), (2,), (3,), (4,)]


# ---------------------------------------------------------------- forms


def as_sent(values: dict[str, Any]) -> FormData:
    """As a browser sends it: a field for each box that is ticked."""
    several = {name: value for name, value in values.items() if isinstance(value, list)}
    boxes = [(f"{name.removesuffix('[]')}[]", one) for name, found in several.items() for one in found]
    return FormData([*boxes, *((name, value) for name, value in values.items() if name not in several)])


def test_a_contact_is_a_form_and_a_form_a_contact() -> None:
    form, new = forms.contact_from("contact-new", as_sent(GOOD))
    assert form.errors == {}
    assert new is not None
    assert (new.quiet_from, new.quiet_until, new.at_night, new.night_said) == (
        time(23),
        time(6, 30),
        True,
        "by telephone",
    )
    shown = forms.contact_form("contact-new", {name: getattr(new, name) for name in NewContact.__slots__})
    assert forms.contact_from("contact-new", as_sent(shown.values))[1] == new
    unasked = forms.contact_from("x", as_sent(GOOD | {"night": "unasked"}))[1]
    assert unasked is not None
    assert (unasked.at_night, unasked.night_said) == (True, "")


@pytest.mark.parametrize(
    ("begin", "end", "minutes"),
    [
        ("0:00", "24:00", (0, 1440)), ("22:00", "7.00", (1320, 1860)), ("8:00", "12:30", (480, 750)),
        ("18:00", "0:00", (1080, 1440)),
    ],
)  # fmt: skip
def test_a_window_as_it_is_entered(begin: str, end: str, minutes: tuple[int, int]) -> None:
    sent_ = FormData([("days[]", "1"), ("days[]", "7"), ("days[]", "9"), ("from", begin), ("until", end)])
    _, window = forms.window_from("window-x", sent_)
    assert window is not None
    assert (window.days, (window.from_min, window.until_min)) == (frozenset({1, 7}), minutes)
