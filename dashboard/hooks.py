"""What providers tell us: receipts, text messages of contacts, keys pressed in calls.

Each says who it is by a token or a signature. What comes twice counts once; what belongs to nothing we know is kept as
it came, and answered 202, so that nobody sends it for ever. Forged ones are refused and not kept.
"""

import hashlib
import hmac
import json
import logging
import time
from datetime import datetime
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SecretStr, ValidationError

from alerts import receipts, replies, replies_store, sending_store
from alerts.channels.signing import SIGNATURE, TIMESTAMP, is_signed
from alerts.replies import Reply
from dashboard.auth import GuardedRoute
from dashboard.errors import NotAllowed
from dashboard.parts import database, parts_of
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.settings import Settings

log = logging.getLogger(__name__)

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

Model = TypeVar("Model", bound=BaseModel)

_LONG: Final = 200  # characters of an id or a status
_NOTIFY, _WEBHOOK = "notify", "webhook"


class Stray(Exception):
    """It has the right token or signature, and belongs to nothing we know, or cannot be read."""


class Receipt(BaseModel):
    """GOV.UK Notify: a delivery receipt."""

    id: str = Field(min_length=1, max_length=_LONG)
    reference: str | None = Field(None, max_length=_LONG)
    status: str = Field(max_length=_LONG)
    completed_at: str | None = Field(None, max_length=_LONG)


class Text(BaseModel):
    """GOV.UK Notify: a received text message."""

    id: str = Field(min_length=1, max_length=_LONG)
    source_number: str = Field(max_length=_LONG)
    message: str


class Event(BaseModel):
    """Our own gateway: what became of a message, a key that was pressed, a text message."""

    event: str = Field(max_length=_LONG)
    id: str = Field("", max_length=_LONG)
    status: str = Field("", max_length=_LONG)
    key: str = Field("", max_length=20)
    sender: str = Field("", max_length=_LONG, alias="from")
    text: str = ""
    at: str = Field("", max_length=_LONG)


@router.post("/hooks/notify/receipts")
async def notify_receipt(request: Request) -> Response:
    """GOV.UK Notify says what became of a message."""
    raw = await _from_notify(request)

    async def take(conn: Connection, settings: Settings, now: datetime) -> str:
        said = _read(Receipt, raw)
        found = await sending_store.attempt_named(conn, _NOTIFY, said.id, said.reference or "")
        return await _receipt(conn, settings, found, _NOTIFY, said.status, said.id, raw, now)

    return await _taken(request, _NOTIFY, raw, take)


@router.post("/hooks/notify/texts")
async def notify_text(request: Request) -> Response:
    """GOV.UK Notify passes on a text message that somebody sent to our number."""
    raw = await _from_notify(request)

    async def take(conn: Connection, settings: Settings, now: datetime) -> str:
        said = _read(Text, raw)
        # Notify may write the same message anew: its id is what makes it the same.
        reply = Reply(_NOTIFY, "sms", said.source_number, said.message, _digest(b"notify text " + said.id.encode()))
        return await replies.take_text(conn, settings, reply, now)

    return await _taken(request, _NOTIFY, raw, take)


@router.post("/hooks/webhook")
async def webhook(request: Request) -> Response:
    """Our own gateway speaks."""
    raw = await _signed(request)

    async def take(conn: Connection, settings: Settings, now: datetime) -> str:
        said = _read(Event, raw)
        if said.event == "text":
            reply = Reply(_WEBHOOK, "sms", said.sender, said.text, _digest(raw))
            return await replies.take_text(conn, settings, reply, now)
        found = await sending_store.attempt_named(conn, _WEBHOOK, said.id, "") if said.id else None
        if said.event == "receipt":
            return await _receipt(conn, settings, found, _WEBHOOK, said.status, None, raw, now)
        if said.event != "key":
            raise Stray(f"no event of ours: {said.event[:40]}")
        if found is None:
            raise Stray("no message of ours has this id")
        # Who presses a key has heard the call.
        arrived = _digest(b"key " + raw)
        await receipts.note(conn, settings, found, _WEBHOOK, "answered", None, arrived, now)
        reply = Reply(_WEBHOOK, "voice", said.sender, said.key, _digest(raw))
        return await replies.take_key(conn, settings, reply, found.alert_id, found.contact_id, now)

    return await _taken(request, _WEBHOOK, raw, take)


# ---------------------------------------------------------------- what they have in common


async def _receipt(
    conn: Connection, settings: Settings, found: sending_store.Try | None, provider: str, status: str, ref: str | None,
    raw: bytes, now: datetime,
) -> str:  # fmt: skip
    if found is None:
        raise Stray("no message of ours has this id")
    if status not in receipts.STATUS:
        raise Stray(f"no status of ours: {status[:40]}")
    return await receipts.take(conn, settings, found, provider, status, ref, _digest(raw), now)


async def _taken(request: Request, provider: str, raw: bytes, take: Any) -> Response:
    try:
        async with database(request) as (conn, now):
            return JSONResponse({"taken": await take(conn, parts_of(request).settings, now)})
    except Stray as problem:
        why = str(problem)
    log.warning("callback kept aside", extra={"event": "callback_stray", "provider": provider, "why": why})
    async with database(request) as (conn, now):
        await replies_store.keep_stray(conn, provider, why, raw, _digest(provider.encode() + b" " + raw), now)
    return JSONResponse({"taken": "kept aside", "why": why}, 202)


def _read(model: type[Model], raw: bytes) -> Model:
    try:
        return model.model_validate(_clean(json.loads(raw)))
    except ValidationError as problem:
        where = ", ".join(".".join(str(part) for part in error["loc"]) for error in problem.errors())
        raise Stray(f"cannot be read: {where}") from None
    except (ValueError, RecursionError):
        raise Stray("cannot be read: it is no JSON") from None


def _clean(document: Any) -> Any:
    """Without what the database takes in no text: NUL, and half a character."""
    if not isinstance(document, dict):
        return document
    return {
        name: value.encode(errors="replace").decode().replace("\0", "") if isinstance(value, str) else value
        for name, value in document.items()
    }


async def _from_notify(request: Request) -> bytes:
    expected = _secret(parts_of(request).settings.notify_callback_token)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected.encode()):
        raise _refused(_NOTIFY)
    return await request.body()


async def _signed(request: Request) -> bytes:
    settings = parts_of(request).settings
    secret, body = _secret(settings.webhook_secret), await request.body()
    timestamp, given = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
    if not is_signed(secret, timestamp, given, body, time.time(), settings.webhook_clock_s):
        raise _refused(_WEBHOOK)
    return body


def _secret(setting: SecretStr | None) -> str:
    if setting is None:
        raise NotFound("this service takes no callbacks here")
    return setting.get_secret_value()


def _refused(provider: str) -> Exception:
    log.warning("callback refused", extra={"event": "callback_refused", "provider": provider})
    return NotAllowed("the token or the signature is not right")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
