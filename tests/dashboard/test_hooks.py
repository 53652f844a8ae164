"""What providers tell us: with the right token once, and else refused; what is unclear reaches a person."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from alerts import actions
from alerts.channels import table_for
from alerts.channels.signing import SIGNATURE, TIMESTAMP, signature
from alerts.service import Engine
from telecare.clock import SystemClock
from telecare.db import database_now
from tests.alerts.test_sending import SECRET, with_company
from tests.dashboard.world import World, listening
from tests.helpers import one, rows, until
from tests.phone_company import PhoneCompany, phone_company

RECEIPTS, TEXTS, GATEWAY = "/hooks/notify/receipts", "/hooks/notify/texts", "/hooks/webhook"
TOKEN = {"Authorization": f"Bearer {SECRET}"}
SUSAN = "447700900456"  # as Notify writes it


class Lines:
    """A dashboard that listens, an engine, the company, and Susan, who is asked about Mary."""

    def __init__(self, world: World, company: PhoneCompany, client: httpx.AsyncClient) -> None:
        self.world, self.company, self.client = world, company, client
        self.engine = Engine(world.pool, world.settings, table_for(world.settings), SystemClock())
        self.texts = 0

    async def ask(self, hub: str = "hub-1") -> int:
        number = await self.world.alert(hub)
        await self.world.claim(number)
        async with self.world.pool.connection() as conn:
            await actions.ask_contact(conn, self.world.settings, number, "operator", await database_now(conn))
        await self.send()
        return number

    async def send(self) -> None:
        while await self.engine.message_step():
            pass

    async def notify(self, path: str, document: Any, headers: dict[str, str] = TOKEN) -> httpx.Response:
        return await self.client.post(path, json=document, headers=headers)

    async def text(self, words: str, sender: str = SUSAN, number: int | None = None) -> str:
        self.texts += number is None
        document = {"id": f"t-{number or self.texts}", "source_number": sender, "message": words}
        answer = await self.notify(TEXTS, document | {"destination_number": "07700987654"})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["taken"])

    async def gateway(self, document: Any, *, secret: str = SECRET, age_s: int = 0) -> httpx.Response:
        body, timestamp = json.dumps(document).encode(), str(int(time.time()) - age_s)
        headers = {TIMESTAMP: timestamp, SIGNATURE: signature(secret, timestamp, body)}
        return await self.client.post(GATEWAY, content=body, headers=headers)

    async def call(self, number: int) -> str:
        """A call to Susan; what the gateway calls it."""
        await rows(
            self.world.pool,
            """insert into messages (id, alert_id, contact_id, channel, recipient, body, purpose, idempotency_key,
                                     state, next_try_at, created_at)
               select gen_random_uuid(), %s, id, 'voice', phone, 'Press 1', 'ask', 'call', 'pending',
                      clock_timestamp(), clock_timestamp() from contacts where id = %s returning 1""",
            number, self.world.contacts["hub-1"],
        )  # fmt: skip
        await self.send()
        return str(self.company.taken[-1]["given"])

    async def answers(self) -> list[tuple[Any, ...]]:
        return await rows(self.world.pool, "select answer, minutes from asks order by asked_at")

    async def log(self, number: int) -> list[tuple[Any, ...]]:
        sql = "select what, coalesce(detail ->> 'text', detail ->> 'because') from alert_log where alert_id = %s"
        found = await rows(self.world.pool, sql + " and what in ('note', 're-sounded') order by id", number)
        return found

    async def became(self) -> str:
        return str(await one(self.world.pool, "select became from replies"))


@pytest.fixture
def company() -> Iterator[PhoneCompany]:
    with phone_company() as opened:
        yield opened


@pytest.fixture
async def lines(world: World, company: PhoneCompany) -> AsyncIterator[Lines]:
    data = {"data_dir": world.settings.data_dir, "watchdog_within_s": 1000.0}
    world.settings = with_company(world.settings, company, **data)
    async with listening(world.settings) as base, httpx.AsyncClient(base_url=base, timeout=20) as client:
        yield Lines(world, company, client)


def receipt(lines: Lines, status: str, **more: Any) -> dict[str, Any]:
    sent = lines.company.taken[0]
    return {"id": sent["given"], "reference": sent["document"]["reference"], "status": status, "to": SUSAN} | more


# ---------------------------------------------------------------- receipts


async def test_a_receipt_of_notify_is_noted_once_and_answers_nothing(lines: Lines) -> None:
    await lines.ask()
    said = receipt(lines, "delivered", completed_at="2026-11-24T12:00:00.000000Z")
    for became in ("noted", "known"):
        answer = await lines.notify(RECEIPTS, said)
        assert (answer.status_code, answer.json()) == (200, {"taken": became})
    late = await lines.notify(RECEIPTS, receipt(lines, "sending"))
    assert late.json() == {"taken": "no news"}
    assert await one(lines.world.pool, "select state from messages") == "delivered"
    assert await lines.answers() == [(None, None)]


async def test_a_receipt_of_failure_has_the_other_way_tried(lines: Lines) -> None:
    await lines.ask()
    assert (await lines.notify(RECEIPTS, receipt(lines, "permanent-failure"))).json() == {"taken": "noted"}
    await lines.send()
    assert lines.company.asked == ["sms", "gateway"]


async def test_the_operator_sees_whether_a_text_has_arrived(lines: Lines) -> None:
    number = await lines.ask()
    lines.world.base = str(lines.client.base_url)
    async with lines.world.browser_session("operator") as browser:
        page = f"/console/alerts/{number}"
        assert "Text message: sent; not yet said to have arrived" in (await browser.get(page)).text
        await lines.notify(RECEIPTS, receipt(lines, "delivered"))
        assert "Text message: arrived" in (await browser.get(page)).text


async def test_a_receipt_that_knows_only_our_key_is_found(lines: Lines) -> None:
    await lines.ask()
    await rows(lines.world.pool, "update message_attempts set provider_ref = null returning 1")
    assert (await lines.notify(RECEIPTS, receipt(lines, "delivered"))).json() == {"taken": "noted"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"id": "nobody", "status": "delivered"}, "no message of ours has this id"),
        ({"id": "nobody", "reference": None, "status": "delivered"}, "no message of ours has this id"),
        ({"status": "delivered"}, "cannot be read: id"),
        ({"id": 7, "status": "delivered"}, "cannot be read: id"),
        ([1], "cannot be read: "),
        ({"id": "nul\0", "status": "delivered"}, "no message of ours has this id"),
    ],
)
async def test_what_belongs_to_nothing_is_kept_as_it_came(lines: Lines, said: Any, why: str) -> None:
    for _ in range(2):
        answer = await lines.notify(RECEIPTS, said)
        assert answer.status_code == 202
        assert answer.json() == {"taken": "kept aside", "why": why}
    raw, kept = (await rows(lines.world.pool, "select raw, why from stray_callbacks"))[0]
    assert json.loads(bytes(raw)) == said
    assert kept == why
    assert await one(lines.world.pool, "select count(*) from stray_callbacks") == 1


async def test_a_status_that_is_none_of_ours_and_bytes_that_are_no_json_are_kept_too(lines: Lines) -> None:
    await lines.ask()
    assert (await lines.notify(RECEIPTS, receipt(lines, "eaten"))).status_code == 202
    assert (await lines.client.post(TEXTS, content=b"\xff\x00{", headers=TOKEN)).status_code == 202
    assert (await lines.client.post(TEXTS, content=b"[" * 60_000, headers=TOKEN)).status_code == 202
    assert (await lines.client.post(TEXTS, content=b"x" * 70_000, headers=TOKEN)).status_code == 413
    assert await one(lines.world.pool, "select count(*) from stray_callbacks") == 3


async def test_an_administrator_reads_what_belonged_to_nothing_newest_first(lines: Lines) -> None:
    lines.world.base = str(lines.client.base_url)
    for number in range(53):
        await lines.notify(RECEIPTS, {"id": f"stray-{number:02}", "status": "<script>"})
    await rows(
        lines.world.pool,
        """update stray_callbacks set received_at = received_at - interval '2 days'
            where position('stray-00' in convert_from(raw, 'UTF8')) > 0 returning 1""",
    )
    async with lines.world.browser_session("admin") as browser:
        await until(lambda: _counted(browser, "52 callbacks of the last day belong to nothing we know"))
        assert "53 that belong to nothing we know" in (await browser.get("/admin")).text
        first = (await browser.get("/admin/callbacks")).text
        assert "Callbacks that belong to nothing: 53" in first
        assert first.index("stray-52") < first.index("stray-51")
        assert "stray-00" not in first
        assert "<script>" not in first.replace('<script type="module"', "")
        older = first.split('href="/admin/callbacks?before=')[1].split('"')[0]
        second = (await browser.get(f"/admin/callbacks?before={older}")).text
        assert "stray-00" in second
        assert "stray-52" not in second
        assert (await browser.get("/admin/callbacks?before=soon")).status_code == 200
    async with lines.world.browser_session("operator") as browser:
        assert "belong to nothing we know" not in (await browser.get("/console")).text


async def _counted(browser: httpx.AsyncClient, words: str) -> bool:
    return words in (await browser.get("/admin")).text


async def test_who_has_not_the_token_is_refused_and_leaves_nothing(lines: Lines) -> None:
    await lines.ask()
    said = receipt(lines, "delivered")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": SECRET}):
        for path in (RECEIPTS, TEXTS):
            answer = await lines.notify(path, said, headers)
            assert answer.status_code == 403
            assert answer.headers["content-type"] == "application/problem+json"
    assert await one(lines.world.pool, "select state from messages") == "sent"
    assert await one(lines.world.pool, "select count(*) from stray_callbacks") == 0


async def test_without_a_token_of_ours_there_is_no_such_address(world: World) -> None:
    async with listening(world.settings) as base, httpx.AsyncClient(base_url=base) as client:
        for path in (RECEIPTS, TEXTS, GATEWAY):
            assert (await client.post(path, json={}, headers=TOKEN)).status_code == 404


# ---------------------------------------------------------------- text messages


@pytest.mark.parametrize(
    ("words", "answer", "minutes"),
    [("1", "going", 20), ("1 35", "going", 35), ("Yes", "going", 20), ("2", "cannot", None), ("no", "cannot", None)],
)
async def test_a_text_answers_the_question(lines: Lines, words: str, answer: str, minutes: int | None) -> None:
    number = await lines.ask()
    assert await lines.text(words) == answer
    assert (await lines.answers())[0] == (answer, minutes)
    assert await lines.text(words, number=1) == "replayed"
    assert len([what for what, _ in await lines.log(number) if what == "note"]) == 0


async def test_a_yes_can_be_taken_back(lines: Lines) -> None:
    await lines.ask()
    assert [await lines.text(words) for words in ("1 20", "2")] == ["going", "cannot"]
    assert (await lines.answers())[0] == ("cannot", None)


async def test_a_text_that_is_not_understood_reaches_the_operator_and_nobody_is_texted(lines: Lines) -> None:
    number = await lines.ask()
    assert await lines.text("who is  this\x00?") == "not-understood"
    assert await lines.log(number) == [
        ("note", "a text message, which was not understood: “who is this?”"),
        ("re-sounded", "Susan Ashworth sent a text message, which was not understood"),
    ]
    await lines.send()
    assert len(lines.company.taken) == 1
    assert (await lines.answers())[0] == (None, None)


async def test_a_text_that_answers_no_question_reaches_the_operator(lines: Lines) -> None:
    number = await lines.world.alert("hub-1")
    assert await lines.text("1") == "no-question"
    assert [what for what, _ in await lines.log(number)] == ["note", "re-sounded"]


async def test_a_text_when_all_is_over_is_kept_and_disturbs_nobody(lines: Lines) -> None:
    number = await lines.ask()
    await lines.world.close(number)
    before = await one(lines.world.pool, "select n from alert_event_counter")
    assert await lines.text("1") == "no-question"
    assert await one(lines.world.pool, "select n from alert_event_counter") == before
    assert await lines.became() == "no-question"


async def test_a_text_of_somebody_unknown_is_kept(lines: Lines) -> None:
    await lines.ask()
    for sender in ("447700900999", "not a number", "INFO"):
        assert await lines.text("1", sender) == "unknown-number"
    assert (await lines.answers())[0] == (None, None)


async def test_a_text_that_may_be_about_two_people_answers_for_neither_and_both_operators_hear(lines: Lines) -> None:
    await lines.world.add_home("hub-2", "Ravi Patel")
    numbers = [await lines.ask("hub-1"), await lines.ask("hub-2")]
    assert await lines.text("1") == "two-people"
    assert await lines.answers() == [(None, None)] * 2
    for number in numbers:
        (_, note), (what, because) = await lines.log(number)
        assert "about either of two people" in note
        assert what == "re-sounded"
        assert "ring them" in because


async def test_the_number_is_the_same_however_the_register_has_it(lines: Lines) -> None:
    for phone in ("+44 7700 900456", "(07700) 900-456", "0044 7700 900456"):
        await rows(lines.world.pool, "update contacts set phone = %s where phone like '%%456' returning 1", phone)
        number = await lines.ask()
        assert await lines.text("1") == "going"
        await lines.world.close(number)


# ---------------------------------------------------------------- the gateway


@pytest.mark.parametrize(("key", "answer"), [("1", ("going", 20)), ("2", ("cannot", None))])
async def test_a_key_in_a_call_answers_its_question_and_says_that_it_was_heard(
    lines: Lines, key: str, answer: tuple[str, int | None]
) -> None:
    given = await lines.call(await lines.ask())
    pressed = {"event": "key", "id": given, "key": key}
    assert (await lines.gateway(pressed)).json() == {"taken": answer[0]}
    assert (await lines.gateway(pressed, age_s=5)).json() == {"taken": "replayed"}
    assert (await lines.answers())[0] == answer
    assert await one(lines.world.pool, "select state from messages where channel = 'voice'") == "delivered"


async def test_another_key_reaches_the_operator(lines: Lines) -> None:
    number = await lines.ask()
    given = await lines.call(number)
    assert (await lines.gateway({"event": "key", "id": given, "key": "9"})).json() == {"taken": "not-understood"}
    assert (await lines.log(number))[0] == ("note", "a key in a call, which was not understood: “9”")


async def test_a_key_that_comes_when_all_is_over_changes_nothing(lines: Lines) -> None:
    number = await lines.ask()
    given = await lines.call(number)
    await lines.world.close(number)
    assert (await lines.gateway({"event": "key", "id": given, "key": "1"})).json() == {"taken": "too-late"}
    assert (await lines.answers())[0] == (None, None)
    log = await lines.log(number)
    assert (await lines.gateway({"event": "key", "id": given, "key": "9"})).json() == {"taken": "not-understood"}
    note = ("note", "a key in a call, which was not understood: “9”")
    assert await lines.log(number) == [*log, note]  # kept, and nothing sounds for what has ended


async def test_the_gateway_tells_what_became_of_a_call_by_its_name_or_ours(lines: Lines) -> None:
    given = await lines.call(await lines.ask())
    ours = lines.company.taken[-1]["document"]["id"]
    for name, status in ((given, "ringing"), (ours, "answered")):
        assert (await lines.gateway({"event": "receipt", "id": name, "status": status})).json() == {"taken": "noted"}
    assert await one(lines.world.pool, "select state from messages where channel = 'voice'") == "delivered"


async def test_the_gateway_passes_texts_on_too(lines: Lines) -> None:
    await lines.ask()
    answer = await lines.gateway({"event": "text", "from": "07700 900456", "text": "1 5", "id": "g-1"})
    assert answer.json() == {"taken": "going"}
    assert (await lines.answers())[0] == ("going", 5)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"event": "key", "id": "nobody", "key": "1"}, "no message of ours has this id"),
        ({"event": "receipt", "status": "delivered"}, "no message of ours has this id"),
        ({"event": "smoke"}, "no event of ours: smoke"),
        ({}, "cannot be read: event"),
    ],
)
async def test_what_the_gateway_says_of_nothing_we_know_is_kept(lines: Lines, document: Any, why: str) -> None:
    answer = await lines.gateway(document)
    assert (answer.status_code, answer.json()["why"]) == (202, why)
    assert await one(lines.world.pool, "select provider from stray_callbacks") == "webhook"


async def test_a_forged_or_old_signature_is_refused(lines: Lines) -> None:
    given = await lines.call(await lines.ask())
    pressed = {"event": "key", "id": given, "key": "1"}
    assert (await lines.gateway(pressed, secret="guessed")).status_code == 403
    assert (await lines.gateway(pressed, age_s=301)).status_code == 403
    assert (await lines.gateway(pressed, age_s=-310)).status_code == 403
    assert (await lines.client.post(GATEWAY, json=pressed)).status_code == 403
    assert (await lines.answers())[0] == (None, None)
