"""At which level alarms are answered, by council: read by the centre, changed by supervisors."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from alerts import policy_store
from alerts.policy import DECIDED, FIRST, GRAVE, Policy, differences, level, problems, warnings
from dashboard.access import ACCESS
from dashboard.api import register_id
from dashboard.auth import GuardedRoute, visitor_of
from dashboard.forms import Form
from dashboard.parts import database, parts_of
from telecare.db import Connection
from telecare.errors import NotFound
from telecare.register.councils import Council, councils
from telecare.vocabulary import KIND_WORDS, PRIORITY_WORDS, Kind, Priority

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

LOOKED_BACK: Final = timedelta(days=30)  # the alerts by which a change is shown
WHY_LIMIT: Final = 1000  # characters
NUMBERS: Final = ("rise_from_3_min", "rise_from_2_min", "repeat_presses", "on_floor_min")


def form_of(policy: Policy) -> Form:
    """A policy as the form shows it."""
    values: dict[str, Any] = {kind.value: str(int(level(policy, kind))) for kind in DECIDED}
    values["possible-fall"] = str(int(policy.possible_fall))
    for name in NUMBERS:
        value = getattr(policy, name)
        values[name] = "" if value is None else str(value)
    return Form("policy", values)


def policy_from(sent: FormData) -> tuple[Form, Policy]:
    """The form as it was sent, with what is wrong with it in `errors`, and the policy that it asks for."""
    fields = (*(kind.value for kind in DECIDED), "possible-fall", *NUMBERS, "why")
    form = Form("policy", {name: str(sent.get(name, "")).strip().replace("\r\n", "\n") for name in fields})
    levels: dict[Kind, Priority] = {
        kind: found for kind in DECIDED if (found := _level(form.values[kind.value])) is not None
    }
    possible = _level(form.values["possible-fall"])
    if possible is None:
        form.errors["possible-fall"] = "Possible fall: choose a level"
    numbers: dict[str, int | None] = {}
    for name in NUMBERS:
        text = form.values[name]
        numbers[name] = None if not text else int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
    policy = Policy(levels=levels, possible_fall=possible or FIRST.policy.possible_fall, **numbers)
    form.errors |= problems(policy)
    why = form.values["why"]
    if not why or len(why) > WHY_LIMIT or "\0" in why:
        form.errors["why"] = f"Say why, in at most {WHY_LIMIT} characters"
    return form, policy


def _level(text: str) -> Priority | None:
    return Priority(int(text)) if text in {str(int(one)) for one in Priority} else None


@router.get("/priorities")
async def priorities(request: Request, council: str = "") -> Response:
    """The policy in force for a council, or the service's own, with its versions."""
    return await _page(request, council)


@router.post("/priorities")
async def change(request: Request) -> Response:
    """Show what a policy would change; with `step` keep, put it in force."""
    sent = await request.form()
    council, seen = str(sent.get("council", "")), str(sent.get("seen", ""))
    form, policy = policy_from(sent)
    if form.errors:
        return await _page(request, council, 422, form)
    if sent.get("step") != "keep":
        return await _page(request, council, form=form, wanted=policy, seen=seen)
    async with database(request) as (conn, now):
        whose = await _whose(conn, council)
        by = visitor_of(request).member.username
        name = await policy_store.add(conn, whose.id if whose else None, seen, policy, by, form.values["why"], now)
    query = {"council": str(whose.id)} if whose else {}
    return RedirectResponse(f"/priorities?{urlencode(query | {'kept': name})}", 303)


async def _whose(conn: Connection, council: str) -> Council | None:
    """The council that is meant; None: the service itself.

    Raises:
        NotFound: there is no such council.
    """
    if not council:
        return None
    wanted = register_id(council, "council")
    found = [one for one in await councils(conn) if one.id == wanted]
    if not found:
        raise NotFound("no such council")
    return found[0]


async def _page(
    request: Request,
    council: str,
    status: int = 200,
    form: Form | None = None,
    wanted: Policy | None = None,
    seen: str = "",
) -> Response:
    async with database(request) as (conn, now):
        whose = await _whose(conn, council)
        known = whose.id if whose else None
        edition = await policy_store.edition_of(conn, known)
        context: dict[str, Any] = {
            "councils": await councils(conn),
            "whose": whose,
            "edition": edition,
            "seen": seen or edition.name,
            "form": form or form_of(edition.policy),
            "kept": request.query_params.get("kept") == edition.name,
            "made": await policy_store.history(conn, known),
            "first": FIRST,
            "preview": await _preview(conn, known, edition.policy, wanted, now) if wanted else None,
            "may_change": visitor_of(request).member.role in ACCESS["POST /priorities"].roles,
            "kinds": [(kind.value, KIND_WORDS[kind], _choices(kind)) for kind in DECIDED],
            "levels": PRIORITY_WORDS,
            "now": now,
        }
    return parts_of(request).pages.render(request, "priorities.html", status, context)


def _choices(kind: Kind) -> list[dict[str, str]]:
    least = Priority.URGENT if kind in GRAVE else Priority.ATTENTION
    return [
        {"value": str(int(one)), "text": f"{int(one)} {words}"} for one, words in PRIORITY_WORDS.items() if one <= least
    ]


async def _preview(conn: Connection, council: UUID | None, old: Policy, new: Policy, now: datetime) -> dict[str, Any]:
    """What would change, and how the last month's alerts would have stood."""
    raised = await policy_store.alerts_by_kind(conn, council, now - LOOKED_BACK)
    counts: dict[str, int] = {}
    mixes: tuple[dict[Priority, int], dict[Priority, int]] = ({}, {})
    for kind, possible, count in raised:
        name = "possible-fall" if possible else kind.value
        counts[name] = counts.get(name, 0) + count
        for policy, mix in zip((old, new), mixes, strict=True):
            at = level(policy, kind, possible=possible)
            mix[at] = mix.get(at, 0) + count
    return {
        "changes": [(one, None if one.field in NUMBERS else counts.get(one.field, 0)) for one in differences(old, new)],
        "warnings": warnings(new),
        "total": sum(counts.values()),
        "mix": [_line(one, mixes) for one in (Priority.EMERGENCY, Priority.URGENT, Priority.ATTENTION)],
    }


def _line(one: Priority, mixes: tuple[Mapping[Priority, int], Mapping[Priority, int]]) -> tuple[str, int, int]:
    before, after = mixes
    return f"{int(one)} {PRIORITY_WORDS[one]}", before.get(one, 0), after.get(one, 0)
