"""Visits, emergency services, the need, and closing, on a real database. The test's own clock decides the time."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from alerts import actions, calls, emergency, knowing, visit_actions
from alerts.calls import Result
from alerts.emergency import News, Service
from alerts.errors import Conflict, Incomplete
from alerts.providers import DemoProvider
from alerts.visiting import VisitState
from telecare.db import Pool
from telecare.errors import NotFound
from telecare.ids import uuid7
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy
from tests.alerts.test_engine import World, employ
from tests.helpers import mary, one, rows

V = VisitState


class Helping(World):
    """Mary's alert, claimed by the operator."""

    number = 0

    async def begin(self) -> None:
        async with self.pool.connection() as conn:
            await employ(conn, "operator", "second", "sam")
        await self.live_in(mary())
        await self.alarm()
        self.number = (await self.open())[0]["id"]
        await self.claim(self.number)

    async def later(self, seconds: float) -> None:
        await super().later(seconds)
        for step in (self.engine.visit_step, self.engine.emergency_step, self.engine.call_step):
            while await step():
                pass

    async def send(self, who: str = "sam") -> UUID:
        visit: UUID = await self.act(actions.dispatch, self.settings, self.number, "operator", who, "", self.now)
        return visit

    async def visit(self, visit: UUID, to: VisitState, by: str = "operator", **detail: Any) -> None:
        await self.act(visit_actions.take_step, self.settings, self.number, visit, by, to, detail, self.now)

    async def inside(self) -> UUID:
        visit = await self.send()
        await self.visit(visit, V.ACCEPTED)
        await self.visit(visit, V.EN_ROUTE, minutes=10, brief_read=True)
        await self.visit(visit, V.ARRIVED, how="pressed the unit")
        await self.visit(visit, V.ACCESS, how="key safe")
        return visit

    async def ring_999(self, **said: Any) -> UUID:
        call: UUID = await self.act(
            actions.call_service, self.settings, self.number, "operator", Service.AMBULANCE, self.now, **said
        )
        return call

    async def hear(self, call: UUID, news: News, by: str = "operator", **said: Any) -> None:
        await self.act(emergency.hear, self.settings, self.number, call, by, news, self.now, **said)

    async def assess(self, **said: Any) -> None:
        values: dict[str, Any] = {"cause": Cause.FALL_ON_FLOOR, "on_floor": True, "decision": "visit"} | said
        await self.act(knowing.assess, self.number, "operator", self.now, **values)

    async def state(self) -> str:
        return str((await self.alert())["state"])

    async def last(self) -> tuple[str, str]:
        entry = (await self.alert())["log"][-1]
        return entry["what"], entry["detail"].get("because", "")


@pytest.fixture
async def helping(pool: Pool, settings: Settings) -> Helping:
    made = Helping(pool, settings, DemoProvider())
    await made.begin()
    return made


async def test_the_state_follows_an_alert_from_its_claim_to_its_review(helping: Helping) -> None:
    assert await helping.state() == "claimed"
    contact = await one(helping.pool, "select id from contacts where place = 1")
    call = await helping.act(calls.start, helping.settings, helping.number, "operator", "contact", contact, helping.now)
    assert await helping.state() == "contacting"
    await helping.act(calls.finish, helping.number, call, "operator", Result.SPOKE, "", helping.now)
    await helping.assess()
    assert await helping.state() == "assessed"
    visit = await helping.send()
    assert await helping.state() == "acting"
    await helping.visit(visit, V.ACCEPTED)
    assert await helping.state() == "watching"
    await helping.visit(visit, V.EN_ROUTE, minutes=10, brief_read=True)
    await helping.visit(visit, V.ARRIVED, how="pressed the unit")
    await helping.visit(visit, V.ACCESS, how="key safe")
    await helping.visit(visit, V.CHECKED, flags=[], on_floor=True)
    await helping.later(60)
    await helping.visit(visit, V.LIFTED, device="cushion", after="well")
    await helping.act(
        actions.mark_safe, helping.number, "operator", ConfirmedBy.ON_SITE, "Sam is with her", helping.now
    )
    assert await helping.state() == "safe"
    await helping.act(knowing.wrap_up, helping.number, "operator", {"note": "up"}, helping.now)
    assert await helping.state() == "wrap-up"
    await helping.visit(visit, V.LEFT, how_left="in her chair, door locked")
    await helping.close(helping.number, confirmed_by=ConfirmedBy.ON_SITE)
    assert await helping.state() == "closed"
    await helping.visit(visit, V.REPORTED, by="sam", report="slipped")
    with pytest.raises(Conflict, match="your own"):
        await helping.act(knowing.review, helping.number, "operator", 90, "well done", helping.now)
    await helping.act(knowing.review, helping.number, "second", 90, "well done", helping.now)
    alert = await helping.alert()
    assert (alert["state"], alert["review"]["score"]) == ("reviewed", 90)
    assert (alert["lifted_at"] - alert["floor_since"]).total_seconds() == 60
    assert [step["state"] for step in alert["visits"][0]["steps"]] == [
        "requested", "accepted", "en-route", "arrived", "access", "checked", "lifted", "left", "reported",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="reviewed"):
        await helping.act(knowing.review, helping.number, "second", 10, "again", helping.now)


async def test_a_claimed_alert_that_nobody_looks_after_sounds_again_and_reaches_the_supervisor(
    helping: Helping,
) -> None:
    await helping.later(119)
    assert (await helping.history())[-1] == "claimed"
    await helping.later(1)
    assert await helping.last() == (
        "re-sounded",
        "nobody is on the telephone with the person, and no help is under way",
    )
    await helping.later(120)
    assert (await helping.last())[0] == "escalated-supervisor"
    await helping.act(actions.write_log, helping.number, "operator", "note", {"text": "here"}, helping.now)
    await helping.later(119)
    assert (await helping.history())[-1] == "note"
    await helping.later(1)
    assert (await helping.last())[0] == "re-sounded"  # counted anew


async def test_who_is_on_the_telephone_is_not_alone(helping: Helping) -> None:
    contact = await one(helping.pool, "select id from contacts where place = 1")
    call = await helping.act(calls.start, helping.settings, helping.number, "operator", "contact", contact, helping.now)
    await helping.later(1000)
    assert (await helping.history())[-1] == "claimed"
    await helping.act(calls.finish, helping.number, call, "operator", Result.NO_ANSWER, "", helping.now)
    await helping.later(120)
    assert (await helping.last())[0] == "re-sounded"


async def test_somebody_on_the_floor_is_rung_every_five_minutes_while_help_is_under_way(helping: Helping) -> None:
    await helping.assess()
    await helping.ring_999(minutes=60)
    assert await helping.state() == "watching"
    await helping.later(299)
    assert (await helping.history())[-1] == "emergency-service"
    await helping.later(1)
    assert await helping.last() == (
        "welfare-due", "help is under way, and nobody has spoken with the person, on the floor",
    )  # fmt: skip
    await helping.later(120)
    assert (await helping.last())[0] == "escalated-supervisor"


async def test_nobody_leaves_before_the_ambulance_has_come(helping: Helping) -> None:
    visit = await helping.inside()
    await helping.visit(visit, V.CHECKED, flags=["trauma"], on_floor=True)
    assert await helping.last() == ("re-sounded", "a sign of ISTUMBLE: do not lift, ring 999")
    call = await helping.ring_999(reference="CAD 7")
    with pytest.raises(Incomplete, match="do not lift"):
        await helping.visit(visit, V.LIFTED, device="cushion", after="well")
    await helping.visit(visit, V.NOT_LIFTED, reason="neck")
    with pytest.raises(Incomplete, match="an ambulance is awaited"):
        await helping.visit(visit, V.LEFT, how_left="on the floor")
    with pytest.raises(psycopg.errors.CheckViolation, match="stay until the crew has taken over"):
        await rows(helping.pool, "update visits set state = 'left', left_at = now()")
    await helping.hear(call, News.ARRIVED)
    await helping.visit(visit, V.LEFT, how_left="with the crew")


async def test_nothing_is_closed_while_help_is_under_way(helping: Helping) -> None:
    call = await helping.ring_999()
    visit = await helping.inside()
    with pytest.raises(Incomplete, match="ambulance must have ended first"):
        await helping.close(helping.number)
    with pytest.raises(psycopg.errors.CheckViolation, match="still under way"):
        await rows(helping.pool, "update alerts set closed_at = now()")
    with pytest.raises(Incomplete, match="say where to"):
        await helping.hear(call, News.CONVEYED)
    await helping.act(actions.ask_contact, helping.settings, helping.number, "operator", helping.now)
    await helping.hear(call, News.CONVEYED, taken_to="Anytown Hospital")
    (told,) = await rows(helping.pool, "select body from messages where purpose = 'hospital' and channel = 'sms'")
    assert "taking Mary to Anytown Hospital" in told[0]
    with pytest.raises(Incomplete, match="sam must have left first"):
        await helping.close(helping.number)
    await helping.visit(visit, V.CHECKED)
    await helping.visit(visit, V.LEFT, how_left="gone with the crew")
    await helping.close(helping.number, confirmed_by=ConfirmedBy.CREW)
    assert await helping.state() == "closed"
    with pytest.raises(Conflict, match="has ended"):
        await helping.hear(call, News.ARRIVED)


async def test_who_has_not_arrived_is_stood_down_when_the_alert_is_closed(helping: Helping) -> None:
    visit = await helping.send()
    await helping.visit(visit, V.ACCEPTED)
    await helping.close(helping.number)
    alert = await helping.alert()
    assert alert["visits"][0]["state"] == "cancelled"
    assert any(entry["detail"].get("text") == "Stood down: the alert was closed" for entry in alert["log"])
    with pytest.raises(Conflict, match="after “stood down” comes: nothing"):
        await helping.visit(visit, V.EN_ROUTE, minutes=5, brief_read=True)


async def test_a_responder_who_does_not_answer_set_off_or_arrive_is_asked_about(helping: Helping) -> None:
    visit = await helping.send()
    await helping.later(120)
    assert "sam has not said whether they go" in [
        entry["detail"].get("because") for entry in (await helping.alert())["log"]
    ]
    await helping.visit(visit, V.ACCEPTED, by="sam")
    await helping.later(300)
    assert await helping.last() == ("re-sounded", "sam has accepted and not set off")
    await helping.visit(visit, V.EN_ROUTE, by="sam", minutes=10, brief_read=True)
    await helping.later(900)
    assert "sam is late: not arrived yet" in [
        entry["detail"].get("because") for entry in (await helping.alert())["log"]
    ]


async def test_a_responder_who_is_not_heard_of_twice_is_an_emergency(helping: Helping) -> None:
    visit = await helping.inside()
    await helping.later(1199)
    await helping.act(visit_actions.check_in, helping.settings, helping.number, visit, "sam", helping.now)
    await helping.later(1200)
    assert (await helping.alert())["priority"] == 2
    await helping.later(120)
    alert = await helping.alert()
    assert alert["priority"] == 1
    assert "sam is on site and has not checked in 2 times in a row" in [
        entry["detail"].get("because") for entry in alert["log"]
    ]


async def test_a_responders_panic_is_an_emergency_at_once(helping: Helping) -> None:
    visit = await helping.inside()
    await helping.act(visit_actions.panic, helping.number, visit, "sam", helping.now)
    assert (await helping.alert())["priority"] == 1
    assert await helping.last() == ("re-sounded", "sam calls for help")


async def test_a_visit_is_for_who_has_the_alert_and_for_who_goes(helping: Helping) -> None:
    visit = await helping.send()
    for step in (
        helping.visit(visit, V.ACCEPTED, by="second"),
        helping.act(visit_actions.panic, helping.number, visit, "second", helping.now),
        helping.act(visit_actions.check_in, helping.settings, helping.number, visit, "second", helping.now),
    ):
        with pytest.raises(Conflict, match="neither yours"):
            await step
    with pytest.raises(Conflict, match="not on site"):
        await helping.act(visit_actions.check_in, helping.settings, helping.number, visit, "sam", helping.now)
    with pytest.raises(NotFound):
        await helping.visit(uuid7(), V.ACCEPTED)
    with pytest.raises(NotFound):  # the visit of another alert
        await helping.act(visit_actions.panic, helping.number + 1, visit, "operator", helping.now)
    with pytest.raises(Conflict, match="comes: accepted, refused, stood down"):
        await helping.visit(visit, V.LEFT, how_left="x")


async def test_an_ambulance_that_is_not_heard_of_is_asked_about(helping: Helping) -> None:
    call = await helping.ring_999(minutes=8, on_line="Jo")
    await helping.later(480)
    because = [entry["detail"].get("because") for entry in (await helping.alert())["log"]]
    assert "the ambulance has not arrived 8 min after it was called: ask where it is" in because
    await helping.hear(call, News.NEW_ETA, minutes=20)
    await helping.hear(call, News.ARRIVED)
    await helping.later(900)
    because = [entry["detail"].get("because") for entry in (await helping.alert())["log"]]
    assert "the ambulance is with the person: ask how it ended" in because
    with pytest.raises(Conflict, match="not yours"):
        await helping.hear(call, News.ATTENDED, by="second")


async def test_silence_is_closed_by_two_people_or_not_at_all(helping: Helping) -> None:
    silent = {"cause": Cause.NOT_KNOWN, "confirmed_by": ConfirmedBy.TWO_PEOPLE}
    for number in range(2):
        await helping.act(
            actions.write_log, helping.number, "operator", "contact-tried", {"text": f"try {number}"}, helping.now
        )
    with pytest.raises(Incomplete, match="a second person must have agreed"):
        await helping.close(helping.number, **silent)
    with pytest.raises(Conflict, match="second person"):
        await helping.act(knowing.agree, helping.number, "operator", "it is quiet", helping.now)
    await helping.act(knowing.agree, helping.number, "second", "seen by the neighbour at noon", helping.now)
    with pytest.raises(Conflict, match="agreed already"):
        await helping.act(knowing.agree, helping.number, "sam", "me too", helping.now)
    await helping.alarm()  # another press undoes it
    with pytest.raises(Incomplete, match="a second person must have agreed"):
        await helping.close(helping.number, **silent)
    await helping.act(knowing.agree, helping.number, "second", "her daughter is there", helping.now)
    await helping.close(helping.number, **silent)
    alert = await helping.alert()
    assert (alert["agreed_by"], alert["agreed_why"]) == ("second", "her daughter is there")
    with pytest.raises(psycopg.errors.CheckViolation, match="two_people_agree"):
        await rows(helping.pool, "update alerts set agreed_by = null")


async def test_another_press_unsays_that_the_person_is_safe(helping: Helping) -> None:
    await helping.act(actions.mark_safe, helping.number, "operator", ConfirmedBy.PERSON, "spoke", helping.now)
    await helping.act(knowing.wrap_up, helping.number, "operator", {}, helping.now)
    assert await helping.state() == "wrap-up"
    await helping.later(10)
    await helping.alarm()
    assert await helping.state() == "claimed"
    before = len(await helping.history())
    await helping.later(120)  # counted from when somebody last did anything, and not half an hour as for who is safe
    assert (await helping.history())[before:] == ["re-sounded"]
    with pytest.raises(Conflict, match="nobody has confirmed"):
        await helping.act(knowing.wrap_up, helping.number, "operator", {}, helping.now)


async def test_help_goes_on_while_an_alert_waits_for_another_operator(helping: Helping) -> None:
    visit = await helping.send()
    await helping.visit(visit, V.ACCEPTED)
    await helping.act(actions.release, helping.settings, helping.number, "operator", "end of shift", helping.now)
    assert await helping.state() == "raised"
    await helping.visit(visit, V.EN_ROUTE, by="sam", minutes=5, brief_read=True)
    assert await helping.state() == "raised"
    await helping.claim(helping.number, "second")
    assert await helping.state() == "watching"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"red_flags": ["tired"]}, "no sign of ISTUMBLE"),
        ({"red_flags": ["trauma"], "decision": "reassure"}, "say why nobody is sent"),
        ({"reason": "x" * 5000}, "at most"),
    ],
)
async def test_an_assessment_that_cannot_be_is_refused(helping: Helping, said: dict[str, Any], words: str) -> None:
    with pytest.raises(Incomplete, match=words):
        await helping.assess(**said)
    assert await rows(helping.pool, "select 1 from assessments") == []


async def test_nobody_is_marked_safe_without_a_word(helping: Helping) -> None:
    with pytest.raises(Incomplete, match="nobody is known to be safe"):
        await helping.act(actions.mark_safe, helping.number, "operator", ConfirmedBy.TWO_PEOPLE, "quiet", helping.now)


async def test_what_is_written_about_a_visit_stays(helping: Helping) -> None:
    await helping.send()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
        await rows(helping.pool, "update visit_steps set by = 'x'")


async def test_a_responder_who_is_sent_about_equipment_and_calls_for_help_is_an_emergency(helping: Helping) -> None:
    """Found by the simulation: the level of a technical alert could not rise, and the call for help was refused."""
    await helping.alarm(kind="battery-low")
    helping.number = next(alert["id"] for alert in await helping.open() if alert["priority"] == 4)
    await helping.claim(helping.number)
    visit = await helping.send()
    await helping.act(visit_actions.panic, helping.number, visit, "sam", helping.now)
    assert await one(helping.pool, "select priority from alerts where id = %s", helping.number) == 1
