"""The simulated year: the same from the same seed, and by the published rates."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

import pytest

from firmware_sim.history import COUNCILS, YEAR_DAYS, year
from telecare.past import Load, PastCase, PastEpisode, PastPerson, Record, decode, encode

UNTIL = date(2026, 11, 24)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(year(1, 240, UNTIL))


def test_the_same_seed_gives_the_same_year_and_another_another(records: list[Record]) -> None:
    assert list(year(1, 240, UNTIL)) == records
    assert list(year(2, 240, UNTIL)) != records
    assert [decode(encode(record)) for record in records[:400]] == records[:400]


def test_it_begins_with_what_it_is_and_everybody_comes_before_what_happened_to_them(records: list[Record]) -> None:
    load, *rest = records
    assert isinstance(load, Load)
    assert (load.total, load.until) == (len(rest), UNTIL)
    order = [type(record) for record in rest]
    assert order == sorted(order, key=[PastPerson, PastEpisode, PastCase].index)
    people = {(one.council, one.reference) for one in rest if isinstance(one, PastPerson)}
    assert len(people) == 240
    assert {council for council, _ in people} == {council.name for council in COUNCILS}
    assert {(one.council, one.person) for one in rest if not isinstance(one, PastPerson | Load)} <= people


def test_alarm_calls_are_as_many_and_as_mixed_as_published(records: list[Record]) -> None:
    cases = [record for record in records if isinstance(record, PastCase)]
    a_month = len(cases) / 240 / (YEAR_DAYS / 30.4)
    assert 2.0 <= a_month <= 2.5
    causes = Counter(case.cause for case in cases)
    assert causes["fall-on-floor"] / len(cases) == pytest.approx(0.05, abs=0.015)
    ambulances = sum("ambulance-called" in case.outcomes for case in cases)
    assert 0.02 <= ambulances / len(cases) <= 0.07
    assert len({case.name for case in cases}) == len(cases)
    answers = [(case.answered_at - case.raised_at).total_seconds() for case in cases if case.answered_at]
    assert 18 <= median(answers) <= 28
    visits = [step for case in cases for step in case.steps if step.what == "visit"]
    recorded = sum("arrived_at" in step.detail for step in visits) / len(visits)
    assert 0.75 <= recorded <= 0.95  # what services forget is forgotten here too
    assert all(one.at <= two.at for case in cases for one, two in pairwise(case.steps))
    assert max(case.closed_at for case in cases).date() < UNTIL
    assert min(case.raised_at for case in cases).date() >= UNTIL - timedelta(days=YEAR_DAYS + 1)


def test_episodes_end_as_they_do_and_some_things_are_missing(records: list[Record]) -> None:
    episodes = [record.fields for record in records if isinstance(record, PastEpisode)]
    ended = [fields for fields in episodes if "sequel" in fields]
    assert 0.75 < len(ended) / len(episodes) < 1
    assert any("barthel_end" not in fields for fields in ended)
    asked = [fields["day91"] for fields in ended if "day91" in fields]
    assert 0.7 < asked.count("home") / len(asked) < 0.92
    assert "not-reached" in asked
