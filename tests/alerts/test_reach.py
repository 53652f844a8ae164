"""Whom is asked next, by which ways, or why nobody; when nobody at all could be. Pure."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.availability import CHILD_NIGHT
from alerts.reach import (
    Choice,
    Contact,
    Nobody,
    Plan,
    Purpose,
    available,
    gaps,
    next_contact,
    problems_of,
    ways_to,
    why_not,
)
from telecare.rota import Absence, Channel, ServiceType, Way, Window, rota_refused, ways_from, window_problem
from telecare.wall_clock import Span, in_words, instant_of, span_in_words, zone_named

LONDON = ZoneInfo("Europe/London")
DAY, NIGHT = datetime(2026, 11, 27, 14, tzinfo=UTC), datetime(2026, 11, 28, 2, tzinfo=UTC)  # a Friday and its night
EVERY_DAY = frozenset(range(1, 8))
AUTUMN, SPRING = date(2026, 10, 25), date(2027, 3, 28)  # Sundays: clocks go back, and forward, at 01:00 UTC
GOLD = ServiceType.GOLD


def uid(number: int) -> UUID:
    return UUID(int=number)


def phone(number: str = "07700 900001") -> tuple[Way, ...]:
    return ways_from(number, "", ())


def that_work() -> tuple[Way, ...]:
    return tuple(replace(way, tested_at=DAY) for way in phone())


def contact(place: int = 1, name: str = "Jo", **more: object) -> Contact:
    values = {"id": uid(place), "place": place, "name": name, "ways": phone()} | more
    return Contact(**values)  # type: ignore[arg-type]


def plan(*contacts: Contact, service: ServiceType = GOLD) -> Plan:
    return Plan(service, contacts, LONDON)


def asked_now(made: Plan, now: datetime = DAY, *already: int, **more: object) -> str:
    found = next_contact(made, {uid(one) for one in already}, now, **more)  # type: ignore[arg-type]
    return found.contact.name if isinstance(found, Choice) else found.why


JO, ALI = contact(1, "Jo"), contact(2, "Ali")
EVENINGS = Window(EVERY_DAY, 18 * 60, 22 * 60)
NIGHTS = Window(frozenset({5, 6}), 22 * 60, 24 * 60 + 7 * 60)  # Friday and Saturday nights


# ---------------------------------------------------------------- who is next


def test_contacts_are_asked_by_place_and_each_once() -> None:
    made = plan(ALI, JO)
    assert asked_now(made) == "Jo"
    assert asked_now(made, DAY, 1) == "Ali"
    assert asked_now(made, DAY, 1, 2) == "every contact has been asked"
    assert asked_now(plan()) == "there is no contact to ask"
    assert asked_now(plan(contact(ways=()))) == "no contact with a telephone number"


def test_a_contact_without_a_rota_is_asked_at_any_time() -> None:
    assert asked_now(plan(JO), NIGHT) == "Jo"
    assert gaps(plan(JO), DAY, DAY + timedelta(days=2)) == []


def test_only_who_can_be_asked_now_is() -> None:
    evening = contact(1, "Eve", windows=(EVENINGS,))
    assert asked_now(plan(evening, ALI)) == "Ali"
    assert asked_now(plan(evening, ALI), DAY.replace(hour=18)) == "Eve"
    assert asked_now(plan(evening, ALI), DAY.replace(hour=22)) == "Ali"


def test_a_window_may_pass_midnight() -> None:
    night = plan(contact(1, "Nia", windows=(NIGHTS,)))
    assert asked_now(night, NIGHT) == "Nia"  # Saturday morning: it began on Friday
    assert asked_now(night, NIGHT + timedelta(days=1)) == "Nia"
    assert isinstance(next_contact(night, (), NIGHT + timedelta(days=2)), Nobody)


def test_an_absence_lasts_from_its_first_day_to_the_end_of_its_last() -> None:
    away = plan(contact(1, "Jo", absences=(Absence(date(2026, 11, 27), date(2026, 11, 28), "holiday"),)))
    midnights = [datetime(2026, 11, day, tzinfo=UTC) for day in (27, 29)]
    second = timedelta(seconds=1)
    assert [asked_now(away, at) for at in (midnights[0] - second, midnights[1])] == ["Jo", "Jo"]
    for at in (midnights[0], DAY, midnights[1] - second):
        assert "Jo is away until Sat 28 Nov (holiday)" in asked_now(away, at)


def test_nobody_who_did_not_agree_is_woken_and_nobody_at_all_to_be_informed() -> None:
    asleep, agreed = contact(1, "Jo", at_night=False), contact(2, "Ali", at_night=True)
    assert asked_now(plan(asleep, agreed), NIGHT) == "Ali"
    assert asked_now(plan(asleep, agreed), DAY) == "Jo"
    informed = asked_now(plan(agreed), NIGHT, purpose=Purpose.INFORM)
    assert informed.startswith("nobody can be asked now: Ali has quiet hours and is left in peace until Sat 07:00")
    assert asked_now(plan(contact(1, "Jo", at_night=False, quiet_from=time(2), quiet_until=time(2))), NIGHT) == "Jo"


def test_a_child_is_never_asked_to_go_and_never_written_to_at_night() -> None:
    child = contact(1, "Sam", under_18=True, at_night=False, quiet_from=time(3), quiet_until=time(3))
    for at in (DAY, NIGHT):
        assert "Sam is under 18 and is never asked to go" in asked_now(plan(child), at)
        assert "never asked to go" in asked_now(plan(child), at, chosen=uid(1))
        assert asked_now(plan(child, ALI), at) == "Ali"
    assert asked_now(plan(child), DAY, purpose=Purpose.INFORM) == "Sam"
    assert "left in peace until Sat 07:00" in asked_now(plan(child), NIGHT, purpose=Purpose.INFORM)
    assert gaps(plan(child), DAY, NIGHT) == [Span(DAY, NIGHT)]


def test_whom_an_operator_picks_may_be_off_the_rota_and_not_asleep() -> None:
    made = plan(JO, contact(2, "Eve", windows=(EVENINGS,), absences=(Absence(DAY.date(), DAY.date(), "trip"),)))
    assert asked_now(made, DAY, chosen=uid(2)) == "Eve"
    assert asked_now(made, DAY, 2, chosen=uid(2)) == "every contact has been asked"
    asleep = plan(JO, contact(2, "Ida", at_night=False))
    assert "Ida has not agreed to be called at night" in asked_now(asleep, NIGHT, chosen=uid(2))


def test_why_nobody_is_a_sentence_an_operator_can_act_on() -> None:
    made = plan(
        JO, contact(2, "Ali", at_night=False), contact(3, "Eve", windows=(EVENINGS,)), contact(4, "Mo", ways=())
    )
    found = next_contact(made, {uid(1)}, NIGHT)
    assert isinstance(found, Nobody)
    assert found.why == (
        "nobody else can be asked now: Ali has not agreed to be called at night and is left in peace until Sat 07:00; "
        "Eve is not on the rota until Sat 18:00; Mo has no telephone number. "
        "Nobody else until Sat 07:00, then Ali"
    )
    assert found.until == NIGHT.replace(hour=7)


def test_the_ways_to_a_contact_are_the_quickest_first_and_those_that_failed_last() -> None:
    failed = Way(Channel.SMS, "07700 900001", DAY, DAY + timedelta(hours=1))
    push = Way(Channel.PUSH, "https://push.example/1", DAY)
    one = contact(1, ways=ways_from("07700 900001", "jo@example.org", (failed, push)))
    assert [way.channel for way in ways_to(one)] == [Channel.PUSH, Channel.VOICE, Channel.EMAIL, Channel.SMS]
    assert [way.channel for way in ways_to(one, Purpose.INFORM)] == [Channel.PUSH, Channel.EMAIL, Channel.SMS]


# ---------------------------------------------------------------- both nights in which the clocks change


def test_what_the_clock_shows_twice_or_never() -> None:
    one = timedelta(hours=1)
    half_past = 90
    assert instant_of(AUTUMN, half_past, LONDON) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant_of(AUTUMN, half_past, LONDON, last=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    for last in (False, True):
        assert instant_of(SPRING, half_past, LONDON, last=last) == datetime(2027, 3, 28, 1, tzinfo=UTC)  # the jump
        assert instant_of(SPRING, 120, LONDON, last=last) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert instant_of(SPRING, 1440, LONDON) - instant_of(SPRING, 0, LONDON) == 23 * one
    assert instant_of(AUTUMN, 1440, LONDON) - instant_of(AUTUMN, 0, LONDON) == 25 * one


@pytest.mark.parametrize(("day", "hours"), [(AUTUMN, 10), (SPRING, 8), (date(2027, 1, 3), 9)])
def test_a_night_window_is_as_long_as_its_night(day: date, hours: int) -> None:
    nights = contact(windows=(Window(frozenset({6}), 22 * 60, 31 * 60),))
    start = datetime.combine(day, time(), UTC) - timedelta(days=1)
    (span,) = available(nights, LONDON, start, start + timedelta(days=3))
    assert span.end - span.start == timedelta(hours=hours)
    assert [f"{at.astimezone(LONDON):%a %H:%M}" for at in (span.start, span.end)] == ["Sat 22:00", "Sun 07:00"]


def test_in_the_hour_that_comes_twice_a_window_counts_both_times() -> None:
    one = contact(windows=(Window(frozenset({7}), 75, 105),))  # Sundays 01:15 to 01:45
    (span,) = available(one, LONDON, datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC))
    assert span == Span(datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 1, 45, tzinfo=UTC))
    assert span_in_words(span, LONDON) == "Sun 01:15 BST to Sun 01:45 GMT"
    assert available(one, LONDON, datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 3, 29, tzinfo=UTC)) == []


def test_a_local_now_is_the_instant_that_it_is() -> None:
    """By the zone's own clock 01:50 comes before 01:10 an hour later; the instants say otherwise."""
    until = contact(windows=(Window(frozenset({7}), 0, 60),))
    first = datetime(2026, 10, 25, 0, 59, tzinfo=LONDON)
    second = datetime(2026, 10, 25, 1, 10, tzinfo=LONDON, fold=1)
    assert why_not(until, LONDON, first) is None
    assert gaps(plan(until), first, second)[0] == Span(
        datetime(2026, 10, 25, 0, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    )


def test_a_zone_that_the_machine_does_not_know_forgets_nobody() -> None:
    assert zone_named("Mars/Phobos") is UTC
    assert in_words(DAY, zone_named("Mars/Phobos")) == "Fri 14:00"


# ---------------------------------------------------------------- whenever, whoever

MINUTES = st.integers(0, 1439)
TIMES = st.times().map(lambda at: at.replace(microsecond=0, second=0))
WINDOWS = st.builds(
    lambda days, start, length: Window(days, start, start + length),
    st.frozensets(st.integers(1, 7), min_size=1), MINUTES, st.integers(1, 1440),
)  # fmt: skip
STARTS = st.one_of(
    st.sampled_from([datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2027, 3, 27, 12, tzinfo=UTC)]),
    st.integers(0, 2 * 365 * 24).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
)
ABSENCES = st.builds(
    lambda day, length: Absence(day, day + timedelta(days=length), "away"),
    st.dates(date(2026, 10, 23), date(2026, 10, 27)) | st.dates(date(2027, 3, 26), date(2027, 3, 30)),
    st.integers(0, 3),
)


@st.composite
def contacts(draw: st.DrawFn, place: int) -> Contact:
    child = draw(st.booleans())
    return contact(
        place, f"C{place}", under_18=child, at_night=not child and draw(st.booleans()), quiet_from=draw(TIMES),
        quiet_until=draw(TIMES), windows=tuple(draw(st.lists(WINDOWS, max_size=3))),
        absences=tuple(draw(st.lists(ABSENCES, max_size=2))), ways=draw(st.sampled_from([(), phone()])),
    )  # fmt: skip


PLANS = (
    st.integers(0, 3)
    .flatmap(lambda n: st.tuples(*(contacts(place) for place in range(1, n + 1))))
    .map(lambda made: plan(*made))
)


def shown(contact_: Contact, at: datetime) -> bool:
    """The rules once more, by what the council's clock shows: right but in the hours that come twice or never."""
    local = at.astimezone(LONDON)
    minute, today, before = local.hour * 60 + local.minute, local.isoweekday(), (local - timedelta(days=1)).isoweekday()
    if contact_.under_18 or not contact_.ways:
        return False
    on = not contact_.windows or any(
        (today in one.days and one.from_min <= minute < one.until_min)
        or (before in one.days and minute < one.until_min - 1440)
        for one in contact_.windows
    )
    away = any(one.first <= local.date() <= one.last for one in contact_.absences)
    begin, until = contact_.quiet_from, contact_.quiet_until
    clock = local.time()
    night = begin <= clock < until if begin <= until else clock >= begin or clock < until
    return on and not away and (contact_.at_night or not night)


@settings(deadline=None, max_examples=150)
@given(PLANS, STARTS, st.integers(0, 48 * 60 - 1))
@example(
    plan(contact(windows=(Window(frozenset({7}), 75, 105),))), datetime(2026, 10, 24, 12, tzinfo=UTC), 12 * 60 + 75
)
def test_in_a_gap_nobody_can_be_asked_and_outside_somebody(made: Plan, start: datetime, minutes: int) -> None:
    end, at = start + timedelta(hours=48), start + timedelta(minutes=minutes)
    found = gaps(made, start, end)
    for span in found:
        assert start <= span.start < span.end <= end
    for one, other in pairwise(found):
        assert one.end < other.start
    in_a_gap = any(span.start <= at < span.end for span in found)
    assert in_a_gap == isinstance(next_contact(made, (), at), Nobody)
    assert in_a_gap == all(why_not(one, LONDON, at) is not None for one in made.contacts)
    # A gap's edges are where it says.
    for span in found:
        assert isinstance(next_contact(made, (), span.start), Nobody)
        assert isinstance(next_contact(made, (), span.end - timedelta(microseconds=1)), Nobody)
        assert span.end == end or isinstance(next_contact(made, (), span.end), Choice)


def in_a_changing_hour(at: datetime) -> bool:
    """Within hours that the clock shows twice, jumps over, or that a span's edge in them may be moved by."""
    local = at.astimezone(LONDON)
    return local.date() in (AUTUMN, SPRING) and local.hour < 3


@settings(deadline=None, max_examples=150)
@given(contacts(1), STARTS, st.integers(0, 48 * 60 - 1))
def test_who_can_be_asked_is_what_the_councils_clock_says(one: Contact, start: datetime, minutes: int) -> None:
    at = start + timedelta(minutes=minutes)
    if not in_a_changing_hour(at):
        assert (why_not(one, LONDON, at) is None) == shown(one, at)


@settings(deadline=None, max_examples=100)
@given(contacts(1), STARTS, st.integers(0, 48 * 60 - 1), st.sampled_from(Purpose))
def test_nobody_is_woken_and_no_child_asked_whoever_picks_them(
    one: Contact, start: datetime, minutes: int, purpose: Purpose
) -> None:
    at = start + timedelta(minutes=minutes)
    found = next_contact(plan(one), (), at, purpose, chosen=one.id)
    if isinstance(found, Nobody):
        assert found.why
        return
    clock = at.astimezone(LONDON).time()
    assert not (one.under_18 and purpose is Purpose.ACT)
    if one.under_18:
        assert CHILD_NIGHT[1] <= clock < CHILD_NIGHT[0]
    if not one.at_night or purpose is Purpose.INFORM:
        begin, until = one.quiet_from, one.quiet_until
        assert not (begin <= clock < until if begin <= until else clock >= begin or clock < until)


# ---------------------------------------------------------------- what is wrong with a plan


def problems(*contacts_: Contact, service: ServiceType = GOLD) -> list[str]:
    return [problem.words for problem in problems_of(plan(*contacts_, service=service))]


def test_a_plan_with_nobody_on_it_is_a_problem() -> None:
    assert problems() == ["There is no contact: nobody can be asked"]
    assert problems(contact(ways=())) == [
        "None of the contacts can be asked to go: name another contact", "Jo has no telephone number",
    ]  # fmt: skip
    assert problems(JO, ALI) == []


def test_another_contact_is_asked_for_in_the_place_of_a_child() -> None:
    child = contact(1, "Sam", under_18=True, at_night=False)
    words = "Sam is under 18: never asked to go, never called at night. Name another contact in their place"
    assert problems(child, ALI) == [words]
    assert problems(child)[0] == "None of the contacts can be asked to go: name another contact"


def test_silver_needs_three_with_keys_who_agreed_to_be_called_day_and_night() -> None:
    fit = [contact(n, f"C{n}", has_key=True, night_said="by telephone") for n in (1, 2, 3)]
    silver = ServiceType.SILVER
    assert problems(*fit, service=silver) == []
    for broken in (
        {"has_key": False}, {"at_night": False}, {"night_said": ""}, {"under_18": True, "at_night": False},
    ):  # fmt: skip
        found = problems(fit[0], replace(fit[1], **broken), fit[2], service=silver)
        assert found[0] == (
            "Silver needs 3 contacts with keys who agreed to be called day and night; so far: C1, C3"
        ), broken
    assert problems(fit[0], service=ServiceType.CARER_ALERT) == []


def test_a_number_that_is_none_is_a_problem_and_is_tried_all_the_same() -> None:
    wrong = contact(1, "Jo", ways=phone("ask at the shop"))
    assert problems(wrong) == ["The telephone number of Jo is no number"]
    assert asked_now(plan(wrong)) == "Jo"


def test_nobody_is_on_a_rota_without_two_tested_ways() -> None:
    assert rota_refused("Jo", that_work()) is None
    one = (that_work()[0], phone()[1])
    refused = "Jo cannot be on a rota before two ways to reach them have been tested (so far: text message)"
    assert rota_refused("Jo", one) == refused
    assert rota_refused("Jo", ()) is not None
    twice = (Way(Channel.PUSH, "a", DAY), Way(Channel.PUSH, "b", DAY))  # two devices are one channel
    assert rota_refused("Jo", twice) is not None
    failed = replace(that_work()[1], failed_at=DAY + timedelta(minutes=1))
    assert rota_refused("Jo", (that_work()[0], failed)) == refused
    assert problems(contact(1, "Jo", windows=(EVENINGS,), ways=one)) == [
        "Jo is on a rota, and fewer than two ways to reach them are tested now (text message): test them again"
    ]
    assert asked_now(plan(contact(1, "Jo", windows=(EVENINGS,), ways=one)), DAY.replace(hour=19)) == "Jo"


def test_a_test_counts_for_the_number_that_was_that_work() -> None:
    tests = (Way(Channel.SMS, "07700 900001", DAY), Way(Channel.VOICE, "07700 900001", DAY))
    assert rota_refused("Jo", ways_from("07700 900001", "", tests)) is None
    assert rota_refused("Jo", ways_from("07700 900002", "", tests)) is not None


@pytest.mark.parametrize(
    "window",
    [
        Window(frozenset(), 0, 60), Window(frozenset({0}), 0, 60), Window(frozenset({8}), 0, 60),
        Window(EVERY_DAY, 60, 60), Window(EVERY_DAY, 60, 0), Window(EVERY_DAY, 60, 1501), Window(EVERY_DAY, 1440, 1500),
        Window(EVERY_DAY, -1, 60),
    ],
)  # fmt: skip
def test_a_window_that_is_empty_or_none_is_refused(window: Window) -> None:
    assert window_problem(window) is not None


def test_a_window_in_words() -> None:
    assert str(Window(EVERY_DAY, 0, 1440)) == "Every day 00:00 to 24:00"
    assert str(Window(frozenset(range(1, 6)), 1080, 1320)) == "Mon to Fri 18:00 to 22:00"
    assert str(NIGHTS) == "Fri, Sat 22:00 to 07:00"
    assert window_problem(NIGHTS) is None
