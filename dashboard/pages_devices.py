"""A carer's devices: turning ringing on in a browser, taking it away again, and trying it."""

from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from alerts import devices, push_store, telling
from alerts.devices import Browser
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.carer_devices import name_of
from dashboard.pages_carers import carer_page
from dashboard.parts import database, parts_of
from telecare.errors import NotFound, Refused
from telecare.register import carers

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.post("/carer/devices")
async def ring_here(request: Request) -> Response:
    """Ring in this browser: the button was pressed. With `again` the browser says by itself that it still does."""
    form, settings, login = await request.form(), parts_of(request).settings, visitor_of(request).member.id
    browser = Browser(*(str(form.get(name, "")) for name in ("endpoint", "p256dh", "auth")))
    try:
        async with database(request) as (conn, now):
            if form.get("again"):
                seen = await devices.see_again(conn, settings, login, browser, str(form.get("was", "")))
                return JSONResponse({"device": seen})
            await devices.register(conn, settings, login, browser, name_of(request.headers.get("user-agent", "")), now)
    except Refused as problem:
        if form.get("again"):
            return JSONResponse({"device": devices.Seen.UNKNOWN, "why": str(problem)})
        return await carer_page(request, 422, str(problem))
    return RedirectResponse("/carer?done=device#push", 303)


@router.post("/carer/devices/test")
async def try_devices(request: Request) -> Response:
    """Send a test message to every device of this carer that can be rung."""
    settings, login = parts_of(request).settings, visitor_of(request).member.id
    async with database(request) as (conn, now):
        own = [one for one in await push_store.devices_of(conn, login) if one.gone_at is None]
        caring = [one for one in await carers.caring_of(conn, login) if "push" in one.channels]
        if own and caring:
            at_local = now.astimezone(ZoneInfo(caring[0].timezone))
            contact = caring[0].contact_id
            await telling.send_test_to_devices(conn, settings, contact, caring[0].contact, at_local, now)
    return RedirectResponse(f"/carer?done={'device-test' if own and caring else 'no-device'}#push", 303)


@router.post("/carer/devices/{device_id}/remove")
async def remove_device(request: Request, device_id: str) -> Response:
    """Ring no more in a browser of this carer."""
    number = register_id(device_id, "device")
    async with database(request) as (conn, _):
        if not await push_store.remove(conn, visitor_of(request).member.id, number):
            raise NotFound("no such device")
    return RedirectResponse("/carer?done=removed#push", 303)
