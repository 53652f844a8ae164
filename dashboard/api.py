"""The HTTP API for programs, and for our own pages' script. Errors are problem documents (`problems`)."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from alerts import calls, queue
from alerts.errors import Incomplete
from dashboard import models, steps, store
from dashboard.auth import GuardedRoute, find_visitor, visitor_of
from dashboard.parts import database, parts_of
from dashboard.plain import plain
from telecare.clock import format_instant, parse_instant
from telecare.errors import NotFound
from telecare.register import homes

PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": words, "content": {"application/problem+json": {"schema": models.PROBLEM_SCHEMA}}}
    for status, words in {
        401: "Nobody is logged in.",
        403: "Not for this role.",
        404: "There is no such thing.",
        422: "Something is missing or wrong; `problems` says what.",
    }.items()
}
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {
        "description": "Not this user's, or not in a state that allows it; says who has it and its state.",
        "content": {"application/problem+json": {"schema": models.PROBLEM_SCHEMA}},
    }
}

router = APIRouter(prefix="/api", route_class=GuardedRoute, responses=PROBLEM, tags=["alerts"])

_BIGINT: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
TIMELINE_DAYS: Final = 31
TIMELINE_LIMIT: Final = 5000  # alarms, and readings, in one answer


def alert_number(alert_id: str) -> int:
    """An alert's number.

    Raises:
        NotFound: it is no number that an alert could have.
    """
    if not _NUMBER.fullmatch(alert_id) or int(alert_id) > _BIGINT:
        raise NotFound("no such alert")
    return int(alert_id)


def register_id(text: str, what: str) -> UUID:
    """The id of something in the register.

    Raises:
        NotFound: it is none.
    """
    try:
        return UUID(text)
    except ValueError as problem:
        raise NotFound(f"no such {what}") from problem


AlertNumber = Annotated[int, Depends(alert_number)]


@router.get("/alerts", response_model=models.AlertList, summary="Open alerts, or all")
async def alerts(
    request: Request,
    state: Literal["open", "all"] = "open",
    after: Annotated[int, Query(ge=0, le=_BIGINT, description="with state=all: only ids above this one")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """`open`: most urgent first. `all`: in order of id, to be read page by page with `after`."""
    async with database(request) as (conn, now):
        if state == "open":
            found = await queue.open_alerts(conn, now, limit)
        else:
            found = await queue.alerts_after(conn, now, after, limit)
    return JSONResponse({"alerts": plain(found)})


@router.get(
    "/alerts/stream",
    summary="Changes as they happen",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def stream(
    request: Request,
    last_event_id: Annotated[str | None, Header(description="resume after this event")] = None,
    rows: Annotated[
        bool, Query(description="for the console: each alert's row of the queue as HTML, in `row`")
    ] = False,
) -> Response:
    """Server-sent events: `alert` (data: the list object), `beat` (alive), `resync` (read the list anew).

    `id` is a number in the order of commits. Without `Last-Event-ID` it begins now.
    """
    last_seen = int(last_event_id) if last_event_id and _NUMBER.fullmatch(last_event_id) else None
    events = parts_of(request).feed.stream(last_seen, rows=rows)
    first = await anext(events)  # so that a refusal is an answer and not a broken stream
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_while_allowed(request, first, events), 200, headers, "text/event-stream")


async def _while_allowed(request: Request, first: str, events: AsyncGenerator[str]) -> AsyncIterator[str]:
    """The events for as long as the session runs and the role stands. Meanwhile a screen of theirs is connected."""
    me = visitor_of(request)
    role = me.member.role
    clock, every_s = asyncio.get_running_loop().time, parts_of(request).settings.who_every_s
    ask_again = clock() + every_s
    is_screen = me.csrf is not None  # a program's stream is nobody who looks
    console = parts_of(request).consoles.connected(me.member.username) if is_screen else nullcontext()
    with console:
        async with aclosing(events):
            yield first
            async for event in events:
                if clock() >= ask_again:
                    ask_again = clock() + every_s
                    visitor = await find_visitor(request)
                    if visitor is None or visitor.member.role is not role:
                        return
                yield event


@router.get("/alerts/{alert_id}", response_model=models.WholeAlert, summary="One whole alert")
async def alert(request: Request, number: AlertNumber) -> Response:
    """The list object with how it ended, its alarms and its log, both oldest first."""
    async with database(request) as (conn, now):
        return JSONResponse(plain(await queue.whole_alert(conn, number, now)))


async def take(request: Request, number: int, step: steps.Step) -> Response:
    """Take a step for who is logged in; answers with the alert as the list shows it then."""
    by = visitor_of(request).member.username
    async with database(request) as (conn, now):
        had_effect = await step.take(conn, parts_of(request).settings, number, by, now)
        record = await queue.list_record(conn, number, now)
    if isinstance(step, steps.Notify):
        record["told"] = had_effect
    return JSONResponse(plain(record))


@router.post(
    "/alerts/{alert_id}/claim", response_model=models.ListedAlert, responses=CONFLICT, summary="Claim an alert"
)
async def claim(request: Request, number: AlertNumber, body: steps.Claim) -> Response:
    """Only one gets it. Claiming what one already has is no error."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/take-over", response_model=models.ListedAlert, responses=CONFLICT, summary="Take an alert over"
)
async def take_over(request: Request, number: AlertNumber, body: steps.TakeOver) -> Response:
    """From the colleague who has it; the reason is written down."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/log", response_model=models.ListedAlert, responses=CONFLICT, summary="Write something down"
)
async def log(request: Request, number: AlertNumber, body: steps.Log) -> Response:
    """A `note` from anyone; a contact tried or reached, an assessment, a visit, a 999 call from who has the alert."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/notify", response_model=models.NotifiedAlert, responses=CONFLICT, summary="Ask a contact"
)
async def notify(request: Request, number: AlertNumber, body: steps.Notify) -> Response:
    """The next contact, or the one that is named; each is asked once. `told` is false where nobody is left to ask."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/contact-there",
    response_model=models.ListedAlert, responses=CONFLICT, summary="A contact is with the person",
)  # fmt: skip
async def contact_there(request: Request, number: AlertNumber, body: steps.ContactThere) -> Response:
    """Of a contact who was asked; nobody else is asked then."""
    return await take(request, number, body)


@router.post("/alerts/{alert_id}/calls", response_model=models.CalledAlert, responses=CONFLICT, summary="Begin a call")
async def begin_call(request: Request, number: AlertNumber, body: steps.StartCall) -> Response:
    """Calls are made on a telephone; this writes down that one has begun. One at a time."""
    by = visitor_of(request).member.username
    async with database(request) as (conn, now):
        call = await calls.start(conn, parts_of(request).settings, number, by, body.line, body.contact, now)
        record = await queue.list_record(conn, number, now)
    return JSONResponse(plain(record | {"call": call}))


@router.post(
    "/alerts/{alert_id}/calls/{call_id}/result",
    response_model=models.ListedAlert, responses=CONFLICT, summary="End a call",
)  # fmt: skip
async def end_call(request: Request, number: AlertNumber, call_id: str, body: steps.CallResult) -> Response:
    """What was heard, in a call of one's own."""
    call = register_id(call_id, "call")
    return await take(request, number, steps.EndCall(call=call, result=body.result, words=body.words))


@router.post(
    "/alerts/{alert_id}/dispatch", response_model=models.ListedAlert, responses=CONFLICT, summary="Send somebody"
)
async def dispatch(request: Request, number: AlertNumber, body: steps.Dispatch) -> Response:
    """Writes down who goes, and tells the person that someone is on the way."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/safe", response_model=models.ListedAlert, responses=CONFLICT, summary="The person is safe"
)
async def safe(request: Request, number: AlertNumber, body: steps.Safe) -> Response:
    """By whose word, and how that is known."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/release", response_model=models.ListedAlert, responses=CONFLICT, summary="Put an alert back"
)
async def release(request: Request, number: AlertNumber, body: steps.Release) -> Response:
    """It begins to wait anew."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/check-homes",
    response_model=models.ListedAlert, responses=CONFLICT, summary="Homes of an incident were rung",
)  # fmt: skip
async def check_homes(request: Request, number: AlertNumber, body: steps.CheckHomes) -> Response:
    """What was found out about `homes`, or with `all_left` about all that are neither back nor checked. Anyone may."""
    return await take(request, number, body)


@router.post(
    "/alerts/{alert_id}/close", response_model=models.ListedAlert, responses=CONFLICT, summary="Close an alert"
)
async def close(request: Request, number: AlertNumber, body: steps.Close) -> Response:
    """Needs a cause, what was done, who confirmed that the person is safe, and how."""
    return await take(request, number, body)


@router.get("/homes/{home_id}/timeline", response_model=models.Timeline, tags=["homes"], summary="A home's timeline")
async def timeline(
    request: Request,
    home_id: str,
    start: Annotated[str | None, Query(alias="from", description="RFC 3339; by default a day before `to`")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339; by default now")] = None,
) -> Response:
    """Alarms and readings from `from` up to, and without, `to`: at most 31 days, and 5000 of each.

    `truncated` says that there are more; ask again from the last one's time.
    """
    async with database(request) as (conn, now):
        begin, stop = _period(start, end, now)
        home = await homes.home(conn, register_id(home_id, "home"))
        alarms = await store.alarms_between(conn, home["id"], begin, stop, TIMELINE_LIMIT + 1)
        readings = await store.readings_between(conn, home["id"], begin, stop, TIMELINE_LIMIT + 1)
    answer = {
        "home": home["id"],
        "from": begin,
        "to": stop,
        "alarms": alarms[:TIMELINE_LIMIT],
        "readings": readings[:TIMELINE_LIMIT],
        "truncated": max(len(alarms), len(readings)) > TIMELINE_LIMIT,
    }
    return JSONResponse(plain(answer))


def _period(start: str | None, end: str | None, now: datetime) -> tuple[datetime, datetime]:
    wrong = []
    given: dict[str, datetime] = {}
    for name, text in (("from", start), ("to", end)):
        if text is not None:
            try:
                given[name] = parse_instant(text)
            except ValueError as problem:
                wrong.append(f"{name}: {problem}")
    if wrong:
        raise Incomplete(wrong)
    stop = given.get("to", now)
    begin = given.get("from", stop - timedelta(days=1) if stop > datetime(2, 1, 1, tzinfo=UTC) else stop)
    if not timedelta() < stop - begin <= timedelta(days=TIMELINE_DAYS):
        period = f"{format_instant(begin)} to {format_instant(stop)}"
        raise Incomplete([f"from: must lie before `to` by at most {TIMELINE_DAYS} days ({period})"])
    return begin, stop
