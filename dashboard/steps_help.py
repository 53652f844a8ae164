"""The steps of help for a person, as they are asked for: need, emergency services, visits; and what ends an alert."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from alerts import actions, emergency, keys_store, knowing, script_steps, shelving, visit_actions
from alerts.visiting import VisitState
from dashboard.steps import Step, Text
from telecare.db import Connection
from telecare.settings import Settings
from telecare.vocabulary import Cause, Outcome


class Assess(Step):
    """Write down the need."""

    cause: Cause = Field(description="as it seems now; the cause that counts is given at the end")
    on_floor: bool = False
    floor_since: AwareDatetime | None = Field(None, description="as the person says; without one, since the alarm")
    red_flags: list[str] = Field(default=[], max_length=20)
    answers: dict[str, Text] = Field(
        default={}, max_length=100, description="question to answer; without any, those given to the script"
    )
    decision: knowing.Decision
    reason: Text = ""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await knowing.assess(
            conn, alert_id, by, now, cause=self.cause, on_floor=self.on_floor, floor_since=self.floor_since,
            red_flags=self.red_flags, answers=self.answers, decision=self.decision, reason=self.reason,
        )  # fmt: skip
        return True


class ScriptAnswer(Step):
    """An answer to the script beside the case; without effect where just that was answered since."""

    question: Text
    answer: Text = ""
    seen: int | None = Field(
        None, ge=0, lt=2**63, description="`seen` of the question as it was shown; without it, the answer replaces any"
    )

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await script_steps.answer(conn, alert_id, by, self.question, self.answer, now, self.seen)
        return True


class CallService(Step):
    """An emergency service was called."""

    service: emergency.Service
    reference: Text = ""
    minutes: int | None = Field(None, description="in how many minutes it comes, where they said so")
    access_told: bool = Field(default=False, description="they know how to get in")
    on_line: Text = Field(default="", description="who stays on the line with the person")

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.call_service(
            conn, settings, alert_id, by, self.service, now, reference=self.reference, minutes=self.minutes,
            access_told=self.access_told, on_line=self.on_line,
        )  # fmt: skip
        return True


class ServiceNews(Step):
    """What is heard of an emergency service."""

    news: emergency.News
    minutes: int | None = None
    taken_to: Text = ""
    text: Text = ""
    call: UUID | None = Field(None, description="by the API, it stands in the address")

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        assert self.call is not None
        await emergency.hear(
            conn, settings, alert_id, self.call, by, self.news, now,
            minutes=self.minutes, taken_to=self.taken_to, text=self.text,
        )  # fmt: skip
        return True


class VisitStep(Step):
    """The next step of a visit, with what it captures (docs/operators.md says what each must)."""

    to: VisitState
    second: Text = ""
    reason: Text = ""
    minutes: int | None = None
    brief_read: bool = False
    how: Text = ""
    tried: Text = ""
    flags: list[str] = Field(default=[], max_length=20, description="signs of ISTUMBLE")
    on_floor: bool = False
    device: Text = ""
    after: Text = ""
    how_left: Text = ""
    confirmed_elsewhere: Text = ""
    report: Text = ""
    visit: UUID | None = Field(None, description="by the API, it stands in the address")

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        assert self.visit is not None
        captured: dict[str, Any] = self.model_dump(exclude={"to", "visit"})
        await visit_actions.take_step(conn, settings, alert_id, self.visit, by, self.to, captured, now)
        return True


class CheckIn(Step):
    """A responder on site was heard from."""

    visit: UUID | None = Field(None, description="by the API, it stands in the address")

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        assert self.visit is not None
        await visit_actions.check_in(conn, settings, alert_id, self.visit, by, now)
        return True


class Panic(CheckIn):
    """A responder calls for help."""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        assert self.visit is not None
        await visit_actions.panic(conn, alert_id, self.visit, by, now)
        return True


class KeyOut(Step):
    """Somebody takes a key of the home to a visit, and somebody else sees it."""

    visit: UUID
    key: UUID
    taken_by: Text
    witness: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await keys_store.sign_out(conn, settings, alert_id, self.visit, self.key, self.taken_by, self.witness, by, now)
        return True


class Agree(Step):
    """A second person agrees that an alert may be closed although nobody was reached."""

    why: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await knowing.agree(conn, alert_id, by, self.why, now)
        return True


class WrapUp(Step):
    """Write an alert up before it is closed; the person is safe."""

    cause: Cause | None = None
    outcomes: list[Outcome] = Field(default=[], max_length=len(Outcome))
    note: Text = Field(default="", description="facts only")
    kit_fault: bool = False
    safeguarding: bool = False
    falls_referral: bool = False
    family_told: bool = False
    follow_up: Text = ""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await knowing.wrap_up(conn, alert_id, by, self.model_dump(mode="json"), now)
        return True


class Shelve(Step):
    """Put a technical alert aside for some hours."""

    hours: int = Field(description=f"from 1 to {shelving.MOST // timedelta(hours=1)}")
    shelve_why: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await shelving.shelve(conn, alert_id, by, self.hours, self.shelve_why, now)
        return True


class Unshelve(Step):
    """Put an alert back into the queue before its time."""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await shelving.unshelve(conn, alert_id, by, now)
        return True


class Review(Step):
    """A supervisor looks at how a closed alert was handled."""

    score: int
    words: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await knowing.review(conn, alert_id, by, self.score, self.words, now)
        return True
