"""A fall on its alert's page: what the detector says, whatever a hub has sent; and what a possible fall is called."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from psycopg.types.json import Jsonb

from alerts import actions
from dashboard.fall_words import blows_of, falls_of, likelihood, printable, rest_of
from telecare.db import database_now
from tests.dashboard.fall_evidence import fall, movement, pack
from tests.dashboard.test_fall_trace import anything
from tests.dashboard.world import NASTY, World

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
S = timedelta(seconds=1)


def alarm(evidence: Any = None, *, after: float = 0, **changes: Any) -> dict[str, Any]:
    """An alarm as the queue reads it."""
    happened = NOON + after * S
    possible = isinstance(evidence, dict) and evidence.get("outcome") == "possible-fall"
    whole = {
        "kind": "fall", "title": "Possible fall" if possible else "Fall detected", "device": "pendant-1",
        "at": happened, "received_at": happened + S, "clock_synced": True, "evidence": evidence or {},
    }  # fmt: skip
    return whole | changes


def words(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1, "Almost certainly a fall (in trials more than 9 in 10)"),
        (0.96, "Almost certainly a fall (in trials more than 9 in 10)"),
        (0.93, "Almost certainly a fall (in trials about 9 in 10)"),
        (0.9, "Almost certainly a fall (in trials about 9 in 10)"),
        (0.89, "Very likely a fall (in trials about 9 in 10)"),
        (0.7, "Very likely a fall (in trials about 7 in 10)"),
        (0.5, "Likely a fall (in trials about 5 in 10)"),
        (0.49, "Possibly a fall (in trials about 5 in 10)"),
        (0.25, "Possibly a fall (in trials about 3 in 10)"),
        (0.04, "Possibly a fall (in trials less than 1 in 10)"),
        (0, "Possibly a fall (in trials less than 1 in 10)"),
    ],
)
def test_a_probability_is_said_in_words_and_in_tenths(probability: float, said: str) -> None:
    assert likelihood(probability) == said


def test_a_possible_fall_is_never_called_likely() -> None:
    assert likelihood(0.93, "possible-fall") == "Possibly a fall (in trials about 9 in 10)"


@pytest.mark.parametrize(
    "probability", [None, "0.93", "NaN", float("nan"), float("inf"), -0.1, 1.1, 10**400, -(10**400), True, [0.9], {}]
)
def test_what_is_no_probability_is_not_said(probability: Any) -> None:
    found = falls_of([alarm({"probability": probability})])
    assert found is not None
    assert found.first.likelihood is None


@pytest.mark.parametrize(("worn", "known"), [(True, True), (False, False), ("yes", None), (1, None), (None, None)])
def test_worn_is_yes_no_or_not_known(worn: Any, known: bool | None) -> None:
    found = falls_of([alarm({"worn": worn})])
    assert found is not None
    assert found.first.worn is known


def test_reasons_are_limited_in_number_and_length_and_do_nothing() -> None:
    sent = ["x" * 5000, "two\nlines", "\x1b[31mred", "left\u202eright", 7, None, ["nested"], "", " ", *"abcdef"]
    found = falls_of([alarm({"reasons": sent})])
    assert found is not None
    assert found.first.reasons == ("x" * 119 + "…", "two lines", "[31mred", "left right", "a", "b")
    assert found.first.more_reasons == 4
    for odd in ("a reason", {"a": "reason"}, 7, None):
        found = falls_of([alarm({"reasons": odd})])
        assert found is not None
        assert found.first.reasons == ()


def test_a_text_is_cut_only_where_it_is_too_long() -> None:
    assert printable("a" * 120, 120) == "a" * 120
    assert printable("a" * 121, 120) == "a" * 119 + "…"
    assert printable(" " * 1000 + "end", 120) == "…"
    assert printable("", 120) == ""


def test_the_gravest_is_read_first_and_of_those_the_newest() -> None:
    possible = {"outcome": "possible-fall"}
    found = falls_of(
        [alarm(after=0), alarm(kind="button"), alarm(possible, after=5), alarm(after=3), alarm(possible, after=9)]
    )
    assert found is not None
    assert (found.first.title, found.first.at) == ("Fall detected", NOON + 3 * S)
    assert [one.at for one in found.others] == [NOON + 9 * S, NOON + 5 * S, NOON]
    assert found.more == 0
    found = falls_of([alarm(possible, after=n) for n in range(10)])
    assert found is not None
    assert (found.first.at, len(found.others), found.more) == (NOON + 9 * S, 4, 5)
    assert falls_of([alarm(kind="button", evidence=fall())]) is None


def test_a_clock_that_cannot_be_believed_does_not_make_an_alarm_the_newest() -> None:
    ahead = alarm(after=1, at=NOON + timedelta(days=900))
    unset = alarm(after=2, clock_synced=False, at=NOON + timedelta(days=-900))
    unknown = alarm(after=3, at=None)
    found = falls_of([ahead, unset, unknown])
    assert found is not None
    assert [found.first.at, *(one.at for one in found.others)] == [NOON + 4 * S, NOON + 3 * S, NOON + 2 * S]


def test_evidence_is_shown_as_it_was_sent_but_for_the_trace() -> None:
    sent = fall(x="y" * 500, deep={"a": [1]}, none=None)
    shown = dict(rest_of(alarm(sent)))
    assert shown["peak_g"] == "3.4"
    assert (shown["worn"], shown["deep"], shown["x"]) == ("yes", "{'a': [1]}", "y" * 119 + "…")
    assert not shown.keys() & {"trace", "trace_hz", "trace_impact"}
    assert dict(rest_of(alarm({"trace": "x"}, kind="button"))) == {"trace": "x"}


def test_the_blow_before_a_press_is_told_as_what_it_was_taken_for() -> None:
    blow = fall(outcome="no-fall", probability=0.12, at="2026-06-01T11:59:20Z")
    press = alarm({"blow": blow, "battery": "good"}, kind="button")
    (found,) = blows_of([press, alarm(kind="button"), alarm({"blow": blow})])
    assert found.title == "Blow before the press, taken for no fall"
    assert found.at == NOON - 40 * S
    assert found.likelihood == "Taken for no fall (in trials about 1 in 10)"
    assert found.trace is not None
    assert rest_of(press) == [("battery", "good")]
    for unread in ("yesterday", None, 5, "2099-01-01T00:00:00Z"):  # then it is as old as the press at most
        (found,) = blows_of([alarm({"blow": {"at": unread}}, kind="button")])
        assert found.at == NOON + S


@given(evidence=anything, given_to=anything)
def test_no_evidence_stops_the_page(evidence: Any, given_to: Any) -> None:
    names = ("outcome", "probability", "peak_g", "reasons", "worn", "detector", "model", "trace", "trace_hz")
    for sent in (evidence, dict.fromkeys(names, evidence), {"reasons": [evidence, given_to]}):
        found = falls_of([alarm(), alarm(evidence=sent, after=1)])
        assert found is not None
        assert len(found.first.reasons) <= 6
        assert rest_of(alarm(evidence=sent)) is not None
        press = alarm({"blow": sent}, kind="button")
        assert len(blows_of([press])) == isinstance(sent, dict)
        assert rest_of(press) == []


# ---------------------------------------------------------------- pages


async def page_of(served: World, number: int) -> str:
    async with served.browser_session("operator") as browser:
        answer = await browser.get(f"/console/alerts/{number}")
    assert answer.status_code == 200
    return answer.text


async def test_the_alerts_page_shows_what_the_pendant_measured(served: World) -> None:
    text = await page_of(served, await served.alert("hub-1", "fall", evidence=fall()))
    assert text.count('<svg class="fall-picture"') == 2  # one for each width
    for said in (
        "Fall detected Mary Ashworth", "Level 1, Emergency", "What the pendant measured",
        "Acceleration over 6 seconds: a blow of 3.4 g; still from 1.2 seconds after it until the end.",
        "The picture as a table", "0 to 0.5 s after 3.4 the blow", "Almost certainly a fall (in trials about 9 in 10)",
        "lies in another posture than before a hard blow stayed still afterwards", "Pendant worn",
        "detector pendant-2.0, model falls-1",
    ):  # fmt: skip
        assert said in words(text), said
    assert fall()["trace"][:40] not in text


async def test_a_press_after_a_blow_says_so(served: World) -> None:
    blow = fall(outcome="no-fall", probability=0.12, at="2026-06-01T11:59:20Z")
    page = await page_of(served, await served.alert("hub-1", "button", evidence={"blow": blow}))
    assert page.count('<svg class="fall-picture"') == 2
    for said in (
        "Pendant pressed Mary Ashworth", "A blow of 3.4 g was felt before the press, at ",
        "The hub took it for no fall; it may have been one.", "Taken for no fall (in trials about 1 in 10)",
    ):  # fmt: skip
        assert said in words(page), said
    assert blow["trace"][:40] not in page


async def test_a_possible_fall_is_called_so_wherever_it_is_named(served: World) -> None:
    evidence = fall(outcome="possible-fall", probability=0.42, worn=False)
    number = await served.alert("hub-1", "fall", evidence=evidence)
    home, person = served.homes["hub-1"], served.people["hub-1"]
    await served.claim(number)
    async with served.pool.connection() as conn:
        now = await database_now(conn)
        await actions.dispatch(conn, served.settings, number, "operator", "Car 2", "", now)
    async with served.browser_session("operator") as browser:
        for page in ("/console", f"/console/alerts/{number}", f"/people/{person}", f"/homes/{home}/timeline"):
            text = (await browser.get(page)).text
            assert "Possible fall" in text, page
            assert "Fall detected" not in text, page
    async with served.browser_session("responder") as browser:
        assert "Possible fall" in (await browser.get("/responder")).text
    text = words(await page_of(served, number))
    for said in (
        "Level 2, Urgent", "The detector is not sure that it was a fall.",
        "Possibly a fall (in trials about 4 in 10)", "not worn",
    ):  # fmt: skip
        assert said in text, said


async def test_a_fall_that_joins_gives_the_alert_its_name_and_is_read_first(served: World) -> None:
    number = await served.alert("hub-1", "fall", evidence=fall(outcome="possible-fall", probability=0.42))
    await served.alarm("hub-1", "fall", evidence=fall(probability=0.8, trace=pack(movement(blow_mg=5100))))
    await served.alarm("hub-1", "fall", evidence=fall(outcome="possible-fall", probability=0.6))
    text = words(await page_of(served, number))
    assert "Fall detected Mary Ashworth" in text
    places = [text.index(said, text.index("What the pendant measured Fall detected"))
              for said in ("a blow of 5.1 g", "in trials about 6 in", "in trials about 4 in")]  # fmt: skip
    assert places == sorted(places)


async def test_a_fall_without_evidence_says_that_there_is_none(served: World) -> None:
    text = words(await page_of(served, await served.alert("hub-1", "fall")))
    for said in ("No picture of the movement was sent.", "How likely not said", "Reasons none given",
                 "not known whether it was worn", "Said by not said"):  # fmt: skip
        assert said in text, said
    await served.add_home("hub-2", "Ravi Patel")
    smoke = await page_of(served, await served.alert("hub-2", "smoke", evidence=fall()))
    assert "What the pendant measured" not in smoke


DEEP: dict[str, Any] = {"a": [[[[[[{"b": [None] * 50}]]]]]]}


@pytest.mark.parametrize(
    "evidence",
    [
        fall(reasons=[NASTY, f'"onload="x" {NASTY}', "</svg><svg onload=alert(1)>"], detector=NASTY, model=NASTY),
        fall(
            outcome=NASTY, probability=NASTY, peak_g=NASTY, worn=NASTY, trace=NASTY, trace_hz=NASTY, trace_impact=NASTY
        ),
        {NASTY: NASTY, "junk": "\x1b[31m" + "x" * 3900},
        fall(trace="A" * 1600, reasons=["r" * 2000]),
        fall(probability="NaN", peak_g="Infinity", trace_hz="1e400", trace_impact="NaN"),
        fall(probability=10**300, peak_g=-(10**300), trace_hz=10**300, trace_impact=10**300),
        fall(probability=1e308, peak_g=1e308, trace_hz=1e308, trace_impact=1e308),
        fall(reasons=[str(n) for n in range(400)], trace=None),
        dict.fromkeys(fall(), DEEP),
        {name: [] for name in fall()},
        dict.fromkeys(fall(), True),
        {name: None for name in fall()},
        ["fall"],
        "fall",
        0,
    ],
)
async def test_no_evidence_stops_the_alerts_page(served: World, evidence: Any) -> None:
    number = await served.alert("hub-1", "fall", evidence=evidence)
    await served.alarm("hub-1", "fall", evidence=fall())
    text = await page_of(served, number)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "<svg onload" not in text
    assert not re.search(r"<(script|style)(?![^>]*src)[^>]*>|<[^>]*\s(on\w+|style)=", text)
    section = text.split('id="fall"')[1].split("<h2>Alarms</h2>")[0]
    assert len(section) < 60_000
    async with served.browser_session("operator") as browser:
        assert (await browser.get("/console")).status_code == 200
        assert (await browser.get(f"/homes/{served.homes['hub-1']}/timeline")).status_code == 200
        assert (await browser.get(f"/api/alerts/{number}")).status_code == 200


async def test_an_alert_of_many_falls_shows_a_few(served: World) -> None:
    number = await served.alert("hub-1", "fall", evidence=fall())
    async with served.pool.connection() as conn:
        await conn.execute(
            """with made as (insert into alarms (id, hub, given_id, device, kind, at, clock_synced, test, evidence,
                                                 doubts, content_hash, received_at)
                             select gen_random_uuid(), 'hub-1', 'many-' || n, 'pendant-1', 'fall', now(), true, false,
                                    %s, '{}', sha256(n::text::bytea), now() from generate_series(1, 300) n
                             returning id)
               insert into alert_alarms (alarm_id, alert_id, joined_at) select id, %s, now() from made""",
            (Jsonb(fall()), number),
        )
    text = await page_of(served, number)
    assert "And 296 more fall alarms" in text
    assert text.count('<svg class="fall-picture"') == 10


async def test_who_does_not_see_the_alert_does_not_see_its_evidence(served: World) -> None:
    number = await served.alert("hub-1", "fall", evidence=fall())
    for role in ("carer", "commissioner", "responder", "admin"):
        async with served.browser_session(role) as browser:
            answer = await browser.get(f"/console/alerts/{number}")
            assert answer.status_code == 403, role
            assert "falls-1" not in answer.text
