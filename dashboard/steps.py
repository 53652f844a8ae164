"""The steps of an alert's life as they are asked for, by the API as JSON and by the pages as forms: one model each."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError

from alerts import actions, calls, responders_store
from alerts.incidents.checks import HOMES_AT_ONCE, Check, check_homes
from telecare.db import Connection
from telecare.settings import Settings
from telecare.vocabulary import Cause, ConfirmedBy, Outcome


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("may not hold the character NUL")
    return text


ALONE: Final = "alone"  # somebody who works in a pair is sent without the other
Text = Annotated[str, StringConstraints(max_length=actions.TEXT_LIMIT), AfterValidator(_storable)]


class Step(BaseModel, ABC):
    """Something that a member of staff does to an alert."""

    @abstractmethod
    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        """Do it; False where it was done and had no effect. Raises what `alerts.actions` raises."""


class Claim(Step):
    """Take an unclaimed alert."""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.claim(conn, settings, alert_id, by, now)
        return True


class TakeOver(Step):
    """Take an alert from the colleague who has it."""

    reason: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.take_over(conn, alert_id, by, self.reason, now)
        return True


class LogDetail(BaseModel):
    """What is written down."""

    text: Text
    arrived_at: Text = Field(
        default="", description="a visit's: a time of day by the council's clock (14:35), or RFC 3339"
    )


class Log(Step):
    """Write down what happened."""

    what: Text = Field(json_schema_extra={"enum": [*sorted(actions.LOGGED_BY_HAND)]})
    detail: LogDetail

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.write_log(conn, alert_id, by, self.what, self.detail.model_dump(), now)
        return True


class Notify(Step):
    """Ask the next contact to go, or that one; without effect where nobody is left to ask. Each is asked once."""

    contact: UUID | None = None

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        return await actions.ask_contact(conn, settings, alert_id, by, now, self.contact)


class ContactThere(Step):
    """Write down that a contact who was asked is with the person."""

    contact: UUID

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.contact_there(conn, settings, alert_id, by, self.contact, now)
        return True


class StopAsking(Step):
    """Ask nobody more by itself: no new round, and nobody who can be asked later. Who was asked may still answer."""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.stop_asking(conn, alert_id, by, now)
        return True


class StartCall(Step):
    """Begin a call: to the person's landline or mobile, or to a contact."""

    line: calls.Line
    contact: UUID | None = None

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await calls.start(conn, settings, alert_id, by, self.line, self.contact, now)
        return True


def _by_hand(result: calls.Result) -> calls.Result:
    if result not in calls.BY_HAND:
        raise ValueError("choose what was heard")
    return result


class CallResult(BaseModel):
    """What was heard in a call."""

    result: Annotated[calls.Result, AfterValidator(_by_hand)]
    words: Text = ""


class EndCall(CallResult, Step):
    """Write down what was heard in a call of one's own."""

    call: UUID

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await calls.finish(conn, alert_id, self.call, by, self.result, self.words, now)
        return True


class Dispatch(Step):
    """Write down who has been sent."""

    responder: Text = Field(description="a user name or name of the register, or any other name")
    second: Text = Field(default="", description="who goes with them; empty: alone")
    as_paired: bool = Field(default=False, description="without `second`: with whom they work on their shift")
    note: Text = ""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        responder, second = await responders_store.known_as(conn, self.responder.strip()), self.second.strip()
        if self.as_paired and not second:
            second = await responders_store.partner_of(conn, responder, now)
        second = "" if second.lower() == ALONE else second
        await actions.dispatch(conn, settings, alert_id, by, responder, self.note, now, second)
        return True


class Release(Step):
    """Put an alert back into the queue."""

    reason: Text = ""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.release(conn, settings, alert_id, by, self.reason, now)
        return True


class Safe(Step):
    """Write down that the person is safe, and by whose word."""

    confirmed_by: ConfirmedBy
    how: Text

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.mark_safe(conn, alert_id, by, self.confirmed_by, self.how, now)
        return True


class CheckHomes(Step):
    """Write down what was found out about homes of an incident: those, or all that are neither back nor checked."""

    homes: list[UUID] = Field(default=[], max_length=HOMES_AT_ONCE)
    all_left: bool = False
    result: Check
    words: Text = ""

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await check_homes(
            conn, alert_id, by, now,
            result=self.result, words=self.words, homes=self.homes, all_left=self.all_left,
        )  # fmt: skip
        return True


class Close(Step):
    """End an alert: why it was, what was done, who confirmed that the person is safe, and how.

    `seen_alarms` is how many alarms the closer has seen; where another has joined since, the alert stays open.
    """

    cause: Cause
    outcomes: list[Outcome] = Field(max_length=len(Outcome))
    confirmed_by: ConfirmedBy
    how: Text
    note: Text = ""
    seen_alarms: int | None = Field(None, ge=0, lt=2**31)

    async def take(self, conn: Connection, settings: Settings, alert_id: int, by: str, now: datetime) -> bool:
        await actions.close(
            conn, settings, alert_id, by, now,
            cause=self.cause, outcomes=self.outcomes, confirmed_by=self.confirmed_by, how=self.how, note=self.note,
            seen_alarms=self.seen_alarms,
        )  # fmt: skip
        return True


# What a form says instead of the model's own words, by field.
FORM_WORDS: Final = {
    "cause": "Choose why the alarm went off",
    "outcomes": "Choose at least one thing that was done",
    "confirmed_by": "Choose who confirmed that the person is safe",
    "how": "Say how you know that the person is safe",
    "reason": "Say why you are taking this alert over",
    "responder": "Say who is going",
    "line": "There is no such number",
    "result": "Choose what was heard",
    "service": "Choose who was called",
    "news": "Choose what was heard",
    "decision": "Choose what is decided",
    "hours": "Enter a number of hours, from 1 to 12",
    "shelve_why": "Say why this may wait",
    "why": "Say why it may be closed although nobody was reached",
    "detail.text": f"Write between 1 and {actions.TEXT_LIMIT} characters",
}


def field_problems(problem: ValidationError) -> list[str]:
    """What is wrong, one line for each field: `field: words`."""
    return [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in problem.errors()]
