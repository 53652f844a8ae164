"""What our own script in a carer's browser tells us, with nobody logged in: that it shows a message, or has moved.

A receipt carries the proof that came encrypted in the message. It says that the message arrived, and is no answer.
"""

import hashlib
import hmac
import logging
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from alerts import devices, push_store, receipts, sending_store
from alerts.channels import vapid
from alerts.devices import Browser
from dashboard.auth import GuardedRoute
from dashboard.errors import NotAllowed
from dashboard.parts import database, parts_of
from telecare.errors import NotFound
from telecare.push import ENDPOINT_LIMIT

log = logging.getLogger(__name__)

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

_PROVIDER: Final = "webpush"
_KEY_LIMIT: Final = 200  # characters


class Shown(BaseModel):
    """A browser shows a message."""

    id: UUID  # of the try
    device: UUID
    proof: str = Field(max_length=_KEY_LIMIT)


class Before(BaseModel):
    """Where a browser was rung, and the secret that it had there."""

    endpoint: str = Field(max_length=ENDPOINT_LIMIT)
    auth: str = Field(max_length=_KEY_LIMIT)


class Keys(BaseModel):
    """A browser's keys, as `PushSubscription.toJSON` names them."""

    p256dh: str = Field(max_length=_KEY_LIMIT)
    auth: str = Field(max_length=_KEY_LIMIT)


class Subscribed(BaseModel):
    """A subscription, as `PushSubscription.toJSON` gives it."""

    endpoint: str = Field(max_length=ENDPOINT_LIMIT)
    keys: Keys


class Moved(BaseModel):
    """A browser is rung elsewhere from now on."""

    was: Before
    now: Subscribed


@router.post("/hooks/push/receipts")
async def shown(request: Request, said: Shown) -> Response:
    """A browser says that it shows a message."""
    settings = parts_of(request).settings
    if settings.vapid_key is None:
        raise NotFound("this service rings in no browser")
    expected = vapid.receipt_proof(settings.vapid_key.get_secret_value(), said.id, said.device)
    if not hmac.compare_digest(said.proof.encode(), expected.encode()):
        log.warning("callback refused", extra={"event": "callback_refused", "provider": _PROVIDER})
        raise NotAllowed("the proof is not right")
    content = hashlib.sha256(f"{_PROVIDER} {said.id} {said.device}".encode()).digest()
    async with database(request) as (conn, now):
        found = await sending_store.attempt_named(conn, _PROVIDER, str(said.id), "")
        if found is None:
            raise NotFound("no message of ours has this id")
        became = await receipts.take(conn, settings, found, _PROVIDER, "shown", None, content, now)
        await push_store.note_shown(conn, said.id, said.device, now)
    return JSONResponse({"taken": became})


@router.post("/hooks/push/renewals")
async def moved(request: Request, said: Moved) -> Response:
    """A browser says that it is rung at another address from now on."""
    browser = Browser(said.now.endpoint, said.now.keys.p256dh, said.now.keys.auth)
    async with database(request) as (conn, _):
        await devices.move(conn, parts_of(request).settings, said.was.endpoint, said.was.auth, browser)
    return JSONResponse({"taken": "moved"})
