"""T17: a telephone company that refuses, hangs, fails, or takes a message and never delivers it; and two of them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import asks_store, receipts, sending, sending_store, standing
from alerts.channels import table_for
from alerts.channels.signing import SIGNATURE, TIMESTAMP, is_signed
from alerts.delivery import Outcome
from alerts.providers import table_of
from alerts.service import Engine
from telecare.clock import SystemClock
from telecare.db import Pool
from telecare.errors import CannotStart
from telecare.register.person_states import Change
from telecare.service import run_workers
from telecare.settings import Settings
from telecare.vocabulary import PersonState, Role
from tests.alerts.test_asks import Asking
from tests.helpers import one, rows, running, until
from tests.phone_company import KEY, Behaviour, PhoneCompany, phone_company

SECRET = "a secret of sixteen or more"
MESSAGE = "select state, attempts from messages order by id limit 1"


@pytest.fixture
def company() -> Iterator[PhoneCompany]:
    with phone_company() as opened:
        yield opened


def with_company(settings: Settings, company: PhoneCompany, **more: Any) -> Settings:
    """Both ways of this company, for every channel that each carries."""
    given = {
        "database_url": settings.database, "mqtt_url": "mqtt://127.0.0.1:1", "sms_providers": "notify, webhook",
        "voice_providers": "webhook", "notify_key": KEY, "notify_url": company.url, "notify_sms_template": "t-1",
        "webhook_url": f"{company.url}/gateway", "webhook_secret": SECRET, "message_try_s": 5,
        "notify_callback_token": SECRET,
    }  # fmt: skip
    return Settings.model_validate(given | more)


class Line(Asking):
    """Mary's alert with a contact who is asked, and the company between them."""

    company: PhoneCompany

    async def step(self, seconds: float = 0) -> None:
        self.now += timedelta(seconds=seconds)
        while await self.engine.message_step():
            pass

    async def message(self) -> tuple[Any, ...]:
        (found,) = await rows(self.pool, MESSAGE)
        return found

    async def receipt(self, status: str, provider: str = "notify", number: int = -1) -> str:
        """The company says what became of a message that it took."""
        given = [one for one in self.company.taken if (one["via"] == "gateway") == (provider == "webhook")][number]
        async with self.pool.connection() as conn, conn.transaction():
            found = await sending_store.attempt_named(conn, provider, given["given"], "")
            assert found is not None
            content = f"{provider} {given['given']} {status}".encode()
            return await receipts.take(conn, self.settings, found, provider, status, given["given"], content, self.now)

    async def tries(self) -> list[tuple[Any, ...]]:
        return await rows(self.pool, "select provider, outcome from message_attempts order by message_id, number")

    async def call(self, seconds: float = 0) -> None:
        """A call to Jo about the alert, in so many seconds."""
        await rows(
            self.pool,
            """insert into messages (id, alert_id, contact_id, channel, recipient, body, purpose, idempotency_key,
                                     state, next_try_at, created_at)
               select gen_random_uuid(), %s, id, 'voice', phone, 'Press 1', 'ask', 'call', 'pending', %s, %s
                 from contacts where phone = '07700 900001' returning 1""",
            self.number, self.now + timedelta(seconds=seconds), self.now,
        )  # fmt: skip

    def other_engine(self) -> Engine:
        return Engine(self.pool, self.settings, self.engine.provider, SystemClock(), now_of=self._now)


@pytest.fixture
async def line(pool: Pool, settings: Settings, company: PhoneCompany) -> Line:
    chosen = with_company(settings, company)
    made = Line(pool, chosen, table_for(chosen))
    made.company = company
    await made.begin()
    return made


async def choose(line: Line, **more: Any) -> None:
    line.settings = line.engine.settings = with_company(line.settings, line.company, **more)
    line.engine.provider = table_for(line.settings)


# ---------------------------------------------------------------- what T17 names


async def test_a_text_goes_out_with_its_number_key_and_words_and_arrives(line: Line) -> None:
    await line.ask()
    await line.step()
    assert await line.message() == ("sent", 1)
    (sent,) = line.company.taken
    assert sent["document"]["phone_number"] == "+447700900001"
    key = await one(line.pool, "select idempotency_key from messages")
    assert sent["document"]["reference"] == key
    assert "Can you go?" in line.company.texts()[0]
    assert await line.receipt("delivered") == "noted"
    assert await line.message() == ("delivered", 1)
    assert await line.tries() == [("notify", "accepted")]


@pytest.mark.parametrize("behaviour", ["refuse", "busy", "error", "nonsense"])
async def test_an_error_or_a_refusal_goes_to_the_other_at_once(line: Line, behaviour: Behaviour) -> None:
    line.company.notify = behaviour
    await line.ask()
    await line.step()
    assert line.company.asked == ["sms", "gateway"]
    outcome = "refused" if behaviour == "refuse" else "unavailable"
    assert await line.tries() == [("notify", outcome), ("webhook", "accepted")]
    assert await line.message() == ("sent", 2)


async def test_one_that_hangs_is_left_after_its_time_and_the_other_is_asked(line: Line) -> None:
    await choose(line, message_try_s=0.3)
    line.company.notify = "hang"
    await line.ask()
    await line.step()
    assert await line.tries() == [("notify", "unavailable"), ("webhook", "accepted")]


async def test_one_that_hangs_holds_up_nobody_else(line: Line) -> None:
    """While one message is with a provider that hangs, the next goes out; how the first ends is known in its time."""
    await choose(line, message_try_s=3, sms_providers="notify")
    wake = asyncio.Event()
    line.company.notify = "hang"
    await line.ask()
    sender = sending.run(
        line.pool, line.settings, table_for(line.settings), line._now, wake, SystemClock(), poll_s=0.05
    )
    async with running(lambda stop: run_workers(stop, messages=sender)):
        await until(lambda: bool(line.company.asked))
        line.company.notify = "accept"
        await line.ask()
        await until(lambda: bool(line.company.taken))
        assert await line.tries() in ([("notify", None), ("notify", None)], [("notify", None), ("notify", "accepted")])

        async def ended() -> bool:
            return await line.tries() == [("notify", "unavailable"), ("notify", "accepted")]

        await until(ended)


async def test_three_tries_and_then_the_operator_sees_it(line: Line) -> None:
    line.company.notify = line.company.gateway = "error"
    await line.ask()
    await line.step()
    assert await line.message() == ("pending", 2)
    await line.step(4)
    assert await line.message() == ("pending", 2)  # who has failed rests
    await line.step(2)
    assert await line.message() == ("failed", 3)
    assert line.company.asked == ["sms", "gateway", "sms"]
    detail = await one(line.pool, "select detail from alert_log where what = 'notify-failed'")
    assert detail == {"contact": "Jo Green", "channel": "sms", "why": "GOV.UK Notify answers 500"}


async def test_when_both_refuse_it_has_failed_at_once(line: Line) -> None:
    line.company.notify = line.company.gateway = "refuse"
    await line.ask()
    await line.step()
    assert await line.message() == ("failed", 2)
    assert "notify-failed" in await line.history()


async def test_a_text_that_fails_has_the_call_made_at_once(line: Line) -> None:
    line.company.notify = line.company.gateway = "refuse"
    await line.ask()
    await line.call(90)
    line.company.notify = "refuse"
    await line.step()
    assert line.company.asked == ["sms", "gateway", "gateway"]  # text, text, and the call without its 90 s


async def test_taken_and_never_delivered_is_shown_and_waits_for_days(line: Line) -> None:
    await line.ask()
    await line.step()
    await line.step(301)
    assert await line.message() == ("sent", 1)
    (note,) = await rows(line.pool, "select detail ->> 'text' from alert_log where what = 'note'")
    assert note == ("the text message to Jo Green has not been said to have arrived",)
    async with line.pool.connection() as conn:
        (shown,) = await sending_store.of_alert(conn, line.number)
    assert (shown["state"], shown["delivered_at"]) == ("sent", None)
    assert shown["unheard_at"] is not None
    await line.step(72 * 3600)
    assert await line.message() == ("stale", 1)
    assert "notify-failed" in await line.history()
    assert len(line.company.taken) == 1


@pytest.mark.parametrize("status", ["temporary-failure", "technical-failure", "permanent-failure"])
async def test_a_text_that_could_not_be_delivered_goes_by_the_other_with_its_link(line: Line, status: str) -> None:
    await line.ask()
    await line.step()
    assert await line.receipt(status) == "noted"
    await line.step()
    assert await line.message() == ("sent", 2)
    first, second = line.company.texts()
    assert first == second
    assert "/a/" in second
    assert "/a/..." not in second
    await line.receipt("delivered", "webhook")
    assert "/a/..." in await one(line.pool, "select body from messages")


async def test_a_failure_that_is_told_days_later_is_not_sent_again(line: Line) -> None:
    await line.ask()
    await line.step()
    await line.step(301)
    assert "/a/..." in await one(line.pool, "select body from messages")
    await line.receipt("temporary-failure")
    await line.step(3600)
    assert await line.message() == ("failed", 1)
    assert len(line.company.taken) == 1


# ---------------------------------------------------------------- calls


async def test_a_call_of_which_nothing_is_heard_goes_by_the_other(line: Line) -> None:
    await choose(line, voice_providers="webhook,apprise", apprise_voice_url=f"json{line.company.url[4:]}/x?to={{to}}")
    await line.call()
    await line.step()
    await line.step(59)
    assert line.company.asked == ["gateway"]
    await line.receipt("ringing", "webhook")
    await line.step(1)
    assert line.company.asked == ["gateway", "x"]
    assert await line.tries() == [("webhook", "accepted"), ("apprise", "accepted")]


async def test_a_call_that_nobody_speaks_of_is_told_to_the_operator(line: Line) -> None:
    await line.call()
    await line.step()
    await line.step(60)
    assert await line.message() == ("stale", 1)
    assert "notify-failed" in await line.history()


async def test_who_has_answered_is_not_rung(line: Line) -> None:
    await line.ask()
    await line.call(90)
    await line.step()
    await line.answer("07700 900001", "going", 20)
    await line.step(90)
    assert line.company.asked == ["sms"]
    (call,) = await rows(line.pool, "select state, failure from messages where channel = 'voice'")
    assert call == ("stale", "not needed any more")


async def test_a_call_is_signed_says_what_keys_mean_and_where_receipts_go(line: Line) -> None:
    await line.call()
    await line.step()
    (sent,) = line.company.taken
    document, headers = sent["document"], sent["headers"]
    assert document["to"] == "+447700900001"
    assert document["keys"] == {"1": "going", "2": "cannot"}
    assert document["receipts_to"].endswith("/hooks/webhook")
    assert headers["Idempotency-Key"] == document["idempotency_key"] == "call"
    at = int(headers[TIMESTAMP])
    assert is_signed(SECRET, headers[TIMESTAMP], headers[SIGNATURE], sent["raw"], at, 300)
    assert not is_signed(SECRET, headers[TIMESTAMP], headers[SIGNATURE], sent["raw"] + b" ", at, 300)
    assert not is_signed(SECRET, headers[TIMESTAMP], headers[SIGNATURE], sent["raw"], at + 301, 300)


# ---------------------------------------------------------------- engines


async def test_an_engine_that_dies_over_a_message_is_followed_by_another(line: Line) -> None:
    await choose(line, sms_providers="notify")
    await line.ask()
    line.company.notify = "hang"
    dying = asyncio.create_task(line.engine.message_step())
    await until(lambda: bool(line.company.asked))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    line.company.notify = "accept"
    await line.step(9)
    assert await line.message() == ("sending", 1)  # until its deadline it is not touched
    await line.step(1)
    await line.step(5)
    assert await line.tries() == [("notify", "interrupted"), ("notify", "accepted")]
    assert len(line.company.taken) == 1


async def test_what_the_provider_has_from_a_try_that_we_did_not_see_end_is_not_sent_twice(line: Line) -> None:
    await choose(line, sms_providers="notify")
    line.company.notify = "deaf"
    await line.ask()
    await line.step()
    assert await line.message() == ("pending", 1)
    line.company.notify = "accept"
    await line.step(6)
    assert await line.message() == ("sent", 2)
    assert len(line.company.taken) == 1
    await line.receipt("delivered")
    assert await line.message() == ("delivered", 2)


async def test_a_receipt_that_is_quicker_than_our_own_note_is_not_lost(line: Line) -> None:
    """The engine dies between the provider's yes and the commit: the receipt says which message it is."""
    await line.ask()
    line.company.notify = "hang"
    dying = asyncio.create_task(line.engine.message_step())
    await until(lambda: bool(line.company.asked))
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    key = await one(line.pool, "select idempotency_key from messages")
    async with line.pool.connection() as conn, conn.transaction():
        found = await sending_store.attempt_named(conn, "notify", "an id we never saw", key)
        assert found is not None
        await receipts.take(conn, line.settings, found, "notify", "delivered", "an id we never saw", b"1", line.now)
    await line.step(60)
    assert await line.message() == ("delivered", 1)
    assert line.company.asked == ["sms"]


async def test_four_engines_send_each_message_once(line: Line) -> None:
    for _ in range(2):
        await line.ask()
    await line.call()
    engines = [line.other_engine() for _ in range(4)]

    async def work(engine: Engine) -> None:
        while await engine.message_step():
            pass

    await asyncio.gather(*(work(engine) for engine in engines))
    assert sorted(line.company.asked) == ["gateway", "sms", "sms"]
    assert {outcome for _, outcome in await line.tries()} == {"accepted"}


async def test_a_late_yes_is_kept_though_the_try_was_given_up(line: Line) -> None:
    await line.ask()
    async with line.pool.connection() as conn, conn.transaction():
        message = await sending_store.due(conn, line.now)
        assert message is not None
        soon = line.now + timedelta(seconds=10)
        attempt = await sending_store.begin(conn, message.id, "notify", line.now, soon)
        await sending_store.interrupt(conn, message.id, soon)
        await sending_store.finish(conn, attempt, Outcome.ACCEPTED, soon, "", "n-1")
        await sending_store.finish(conn, attempt, Outcome.UNAVAILABLE, soon, "no", None)
    assert await line.tries() == [("notify", "accepted")]


# ---------------------------------------------------------------- receipts


async def test_receipts_twice_and_out_of_order_change_nothing(line: Line) -> None:
    await line.ask()
    await line.step()
    assert await line.receipt("delivered") == "noted"
    assert await line.receipt("delivered") == "known"
    assert await line.receipt("sending") == "no news"
    assert await line.receipt("temporary-failure") == "no news"
    await line.step(1)
    assert await line.message() == ("delivered", 1)
    assert await one(line.pool, "select count(*) from message_receipts") == 3


async def test_a_receipt_is_no_answer(line: Line) -> None:
    """Jo's text has arrived, and Ali is asked all the same when Jo's time is over."""
    await line.ask()
    await line.step()
    await line.receipt("delivered")
    await line.wait(180)
    assert [who for who, purpose in await line.told() if purpose == "ask"] == ["07700 900001", "07700 900002"]


async def test_that_it_arrived_after_all_is_shown_though_it_had_failed(line: Line) -> None:
    line.company.gateway = "error"
    await line.ask()
    await line.step()
    await line.receipt("permanent-failure")
    await line.step()
    await line.step(6)
    assert await line.message() == ("failed", 3)
    (first,) = line.company.taken
    async with line.pool.connection() as conn, conn.transaction():
        found = await sending_store.attempt_named(conn, "notify", first["given"], "")
        assert found is not None
        await receipts.take(conn, line.settings, found, "notify", "delivered", None, b"x", line.now)
    assert await line.message() == ("delivered", 3)


@pytest.mark.parametrize("table", ["message_receipts", "replies"])
async def test_what_was_said_is_only_added_to(line: Line, table: str) -> None:
    await line.ask()
    await line.step()
    await line.receipt("delivered")
    for change in ("truncate {}", "delete from {} returning 1", "update {} set provider = 'x' returning 1"):
        if table == "replies" and not change.startswith("truncate"):
            continue  # there is none to change
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await one(line.pool, change.format(table))


# ---------------------------------------------------------------- no limit, no number, nobody


async def test_no_limit_of_ours_delays_a_second_real_alarm(line: Line) -> None:
    """Thirty texts to one number go at one instant, and two alarms' texts differ by their time: networks block twenty
    identical ones an hour.
    """
    await line.ask()
    await line.step()
    await line.close(line.number)
    line.now += timedelta(seconds=70)
    await line.alarm()
    line.number = (await line.open())[0]["id"]
    await line.claim(line.number)
    await line.ask()
    async with line.pool.connection() as conn:
        for number in range(30):
            jo = await one(line.pool, "select id from contacts where phone = '07700 900001'")
            await asks_store.queue_message(conn, jo, "07700 900001", f"T {number}", "test", f"{number}", line.now, None)
    before = line.now
    await line.step()
    assert line.now == before
    assert await one(line.pool, "select count(*) from messages where state <> 'sent'") == 0
    asked = [text for text in line.company.texts() if "Can you go?" in text]
    assert len(asked) == 2
    times = {text.split(" at ")[1][:5] for text in asked}
    assert len(times) == 2


async def test_a_number_that_is_none_fails_with_its_reason(line: Line) -> None:
    await rows(line.pool, "update contacts set phone = 'ask Jo' where phone = '07700 900001' returning 1")
    await line.ask()
    await line.step()
    assert line.company.asked == []
    assert await line.message() == ("failed", 2)
    why = await one(line.pool, "select detail ->> 'why' from alert_log where what = 'notify-failed'")
    assert why.startswith("not a telephone number")


async def test_nothing_goes_by_the_other_way_either_once_the_person_has_died(line: Line) -> None:
    await line.ask()
    await line.step()
    person = await one(line.pool, "select person_id from contacts where phone = '07700 900001'")
    news = Change(state=PersonState.DECEASED, note="Hospital", by="operator", role=Role.SUPERVISOR)
    async with line.pool.connection() as conn:
        await standing.change(conn, line.settings, person, news, line.now)
    await line.receipt("permanent-failure")
    await line.step(1)
    assert line.company.asked == ["sms"]


async def test_a_question_of_an_alert_that_has_ended_is_not_sent(line: Line) -> None:
    await line.ask()
    await line.close(line.number)
    await line.step()
    assert len(line.company.taken) == 1
    assert "You do not need to do anything" in line.company.texts()[0]


# ---------------------------------------------------------------- which providers


async def test_apprise_carries_what_it_is_told_to(line: Line) -> None:
    await choose(line, sms_providers="apprise", apprise_sms_url=f"json{line.company.url[4:]}/apprise?+x-to={{to}}")
    await line.ask()
    await line.step()
    assert await line.message() == ("sent", 1)
    (sent,) = line.company.taken
    assert "Can you go?" in json.loads(sent["raw"])["message"]
    assert "/a/..." in await one(line.pool, "select body from messages")  # no receipt can have it sent again


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sms_providers": "pigeon"}, "TELECARE_SMS_PROVIDERS: pigeon is none"),
        ({"voice_providers": "notify"}, "notify is none; there are apprise, webhook"),
        ({"webhook_secret": None}, "webhook needs TELECARE_WEBHOOK_SECRET"),
        ({"notify_sms_template": ""}, "notify needs TELECARE_NOTIFY_SMS_TEMPLATE"),
        ({"sms_providers": "apprise"}, "apprise needs TELECARE_APPRISE_SMS_URL"),
        ({"sms_providers": "apprise", "apprise_sms_url": "json://x"}, "needs {to}"),
        ({"sms_providers": "apprise", "apprise_sms_url": "pigeon://{to}"}, "Apprise knows no such address"),
        ({"push_providers": "webpush"}, "webpush needs TELECARE_VAPID_KEY"),
    ],
)
async def test_a_setting_that_cannot_be_is_said_at_the_start(
    settings: Settings, company: PhoneCompany, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(CannotStart, match=words):
        table_for(with_company(settings, company, **given))


async def test_all_are_off_until_they_are_chosen_and_in_a_demo_always(
    settings: Settings, company: PhoneCompany
) -> None:
    off, demo = Settings(), with_company(settings, company, demo=True)
    assert {one.name for ways in table_for(off).values() for one in ways} == {"none"}
    assert {one.name for ways in table_for(demo).values() for one in ways} == {"demo"}
    assert [one.name for one in table_of(table_for(with_company(settings, company)))["sms"]] == ["notify", "webhook"]
    assert sending.rules_for(off, "sms").switch_after is None
