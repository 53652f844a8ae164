"""What the script's card on an alert's page shows."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from alerts import script_steps
from alerts.scripts import PersonFacts, other_language, reminders
from dashboard.forms import Form
from dashboard.parts import parts_of
from telecare.db import Connection


async def script_card(
    request: Request, conn: Connection, record: dict[str, Any], people: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The script of an alert of `people`: where it stands, what their records say, and what is asked.

    The address's `ask` names a question that is asked again.
    """
    script = await script_steps.record(conn, record["id"])
    if script is None:
        return {}
    facts = [
        PersonFacts(one["name"], one["language"], one["conditions"], one["mobility"], one["wishes"]) for one in people
    ]
    again = request.query_params.get("ask", "")
    asked = next((one for one in script["given"] if one["question"] == again), script["open"])
    written = record["assessment"] is not None and script["given"] != []
    is_written = written and record["assessment"]["at"] >= script["answered_at"]
    return {
        "script": script,
        "asked": asked,
        "is_again": asked is not None and asked["answer"] is not None,
        "is_written": is_written,
        "suggested": None if is_written else _suggested(script),
        "languages": [(one.name, language) for one in facts if (language := other_language(one))],
        "reminders": [(one.name, reminders(one)) for one in facts],
        "interpreter": parts_of(request).settings.interpreter_phone,
    }


def _suggested(script: dict[str, Any]) -> Form | None:
    """The form of the need as the answers fill it in; None while they advise nothing."""
    if script["advice"] is None:
        return None
    values = {name: script[name] for name in ("cause", "on_floor", "red_flags")}
    return Form("assess", values | {"decision": script["advice"]["decision"]})
