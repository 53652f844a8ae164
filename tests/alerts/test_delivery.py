"""What happens next to a message, decided without a database."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery import Attempt, End, Next, Outcome, Receipt, Rules, Send, Wait, decide

T0 = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TEXT, CALL = Rules(), Rules(switch_after=timedelta(seconds=60))
PUSH = Rules(switch_after=timedelta(seconds=60), lives=timedelta(seconds=300))
TWO = (("a", True), ("b", True))


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def tried(
    provider: str, outcome: Outcome | None, ended: float = 0, receipt: Receipt | None = None, why: str = ""
) -> Attempt:
    begun = at(ended) - timedelta(seconds=1)
    return Attempt(
        provider, begun, begun + timedelta(seconds=20), outcome, at(ended) if outcome else None, receipt, why
    )


ACCEPTED, AWAY, NEVER = Outcome.ACCEPTED, Outcome.UNAVAILABLE, Outcome.REFUSED


def after(*attempts: Attempt, now: float = 0, rules: Rules = TEXT, providers: object = TWO, **more: object) -> Next:
    return decide(providers, attempts, at(now), rules, **more)  # type: ignore[arg-type]


def test_the_first_goes_first() -> None:
    assert after() == Send("a")


def test_one_that_is_under_way_is_waited_for_until_its_deadline_and_then_taken_up() -> None:
    begun = tried("a", None)
    assert after(begun) == Wait("sending", begun.deadline)
    assert after(begun, now=30) == Send("b")


def test_an_error_switches_at_once_and_the_first_rests_before_it_is_asked_again() -> None:
    assert after(tried("a", AWAY)) == Send("b")
    both = tried("a", AWAY), tried("b", AWAY, 1)
    assert after(*both, now=2) == Wait("pending", at(10))
    assert after(*both, now=10) == Send("a")


def test_after_three_tries_it_has_failed_and_a_person_is_told() -> None:
    three = tried("a", AWAY), tried("b", AWAY, 1), tried("a", AWAY, 11, why="a answers 500")
    assert after(*three, now=30) == End("failed", "a answers 500", tell=True)


def test_one_alone_is_asked_three_times() -> None:
    alone = (("a", True),)
    one = tried("a", AWAY)
    assert after(one, providers=alone) == Wait("pending", at(10))
    assert after(one, now=10, providers=alone) == Send("a")


def test_who_refuses_is_not_asked_again() -> None:
    assert after(tried("a", NEVER)) == Send("b")
    assert isinstance(after(tried("a", NEVER), tried("b", NEVER)), End)
    assert after(tried("a", NEVER), tried("b", AWAY, 1), now=11) == Send("b")


def test_a_text_that_was_taken_waits_for_its_receipt_for_days_and_is_not_sent_twice() -> None:
    taken = tried("a", ACCEPTED)
    assert after(taken, now=100) == Wait("sent", at(300))
    assert after(taken, now=300) == Wait("sent", at(72 * 3600), may_resend=False, unheard=True, tell=True)
    ended = after(taken, now=72 * 3600)
    assert isinstance(ended, End)
    assert (ended.state, ended.tell) == ("stale", True)


def test_a_text_that_could_not_be_delivered_goes_by_the_other_while_it_is_fresh() -> None:
    for receipt in (Receipt.TEMPORARY_FAILURE, Receipt.TECHNICAL_FAILURE, Receipt.PERMANENT_FAILURE):
        failed = tried("a", ACCEPTED, 0, receipt)
        assert after(failed, now=100) == Send("b")
        assert after(failed, now=300) == End("failed", f"a took it and could not deliver it ({receipt})", tell=True)


def test_a_call_of_which_nothing_is_heard_goes_by_the_other_and_then_a_person_is_told() -> None:
    taken = tried("a", ACCEPTED)
    assert after(taken, now=59, rules=CALL) == Wait("sent", at(60))
    assert after(taken, now=60, rules=CALL) == Send("b")
    both = taken, tried("b", ACCEPTED, 61)
    assert after(*both, now=100, rules=CALL) == Wait("sent", at(121), may_resend=True)
    ended = after(*both, now=121, rules=CALL)
    assert isinstance(ended, End)
    assert (ended.state, ended.tell) == ("stale", True)


def test_ringing_is_no_receipt_that_it_arrived() -> None:
    assert after(tried("a", ACCEPTED, 0, Receipt.UNDER_WAY), now=60, rules=CALL) == Send("b")


def test_where_no_receipts_are_given_none_is_waited_for() -> None:
    assert after(tried("a", ACCEPTED), providers=(("a", False),)) == End("sent")
    assert after(tried("a", ACCEPTED), providers=(("a", False),), rules=CALL) == End("sent")
    assert after(tried("a", ACCEPTED), now=60, providers=(("a", False), ("b", True)), rules=CALL) == Send("b")


def test_what_arrived_has_arrived_whatever_else_is_said() -> None:
    late = tried("a", Outcome.INTERRUPTED, 0, Receipt.DELIVERED), tried("b", ACCEPTED, 5, Receipt.PERMANENT_FAILURE)
    assert after(*late, now=6) == End("delivered")


def test_what_is_no_longer_wanted_is_not_sent_and_not_sent_again() -> None:
    assert after(unwanted="has died") == End("stale", "has died")
    assert after(tried("a", AWAY), unwanted="the contact had answered") == End("stale", "the contact had answered")
    assert after(tried("a", ACCEPTED), now=30, rules=CALL, unwanted="x") == Wait("sent", at(60), may_resend=False)


def test_a_push_that_no_device_shows_goes_by_the_other_and_without_another_is_no_failure() -> None:
    taken = tried("a", ACCEPTED)
    assert after(taken, now=59, rules=PUSH) == Wait("sent", at(60))
    assert after(taken, now=60, rules=PUSH) == Send("b")
    alone = (("a", True),)
    assert after(taken, now=59, providers=alone, rules=PUSH) == Wait("sent", at(60))
    assert after(taken, now=60, providers=alone, rules=PUSH) == Wait("sent", at(300), may_resend=False, unheard=True)
    ended = after(taken, now=300, providers=alone, rules=PUSH)
    assert ended == End("stale", "a provider took it and never said that it arrived", tell=False)
    shown = tried("a", ACCEPTED, receipt=Receipt.DELIVERED)
    assert after(shown, now=301, rules=PUSH) == End("delivered")


def test_a_text_without_its_link_is_not_sent_again() -> None:
    assert isinstance(after(tried("a", ACCEPTED, 0, Receipt.TEMPORARY_FAILURE), now=10, blanked=True), End)


def test_without_a_provider_it_has_failed() -> None:
    assert after(providers=()) == End("failed", "no message provider is configured", tell=True)


RULES = st.sampled_from([TEXT, CALL, PUSH])
WAYS = st.sampled_from([*((outcome, None) for outcome in (AWAY, NEVER, Outcome.INTERRUPTED)),
                        *((ACCEPTED, receipt) for receipt in (None, *Receipt))])  # fmt: skip


@given(st.lists(WAYS, max_size=30), RULES, st.integers(1, 2), st.lists(st.booleans(), min_size=2, max_size=2))
def test_every_message_ends_and_none_is_tried_more_than_three_times(
    ways: list[tuple[Outcome, Receipt | None]], rules: Rules, providers: int, reports: list[bool]
) -> None:
    """Whatever providers do: there is always a next instant, later than now, or an end; and at most three tries."""
    given_providers = [("a", reports[0]), ("b", reports[1])][:providers]
    attempts: list[Attempt] = []
    now = 0.0
    for step in range(20):
        following = after(*attempts, now=now, providers=given_providers, rules=rules)
        if isinstance(following, End):
            failed = not any(one.in_force for one in attempts)
            assert failed is (following.state == "failed")
            return
        if isinstance(following, Wait):
            assert following.until > at(now)
            now = (following.until - T0).total_seconds()
            continue
        outcome, receipt = ways[step] if step < len(ways) else (ACCEPTED, None)
        attempts.append(tried(following.provider, outcome, now, receipt))
        assert len(attempts) <= rules.tries
    raise AssertionError("it never ended")
