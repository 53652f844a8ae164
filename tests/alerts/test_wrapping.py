"""What the closing form holds already."""

from typing import Any

import pytest

from alerts.wrapping import outcomes_so_far
from telecare.vocabulary import Outcome


def visit(*states: str) -> dict[str, Any]:
    return {"steps": [{"state": state} for state in states]}


def call(service: str, outcome: str | None = None) -> dict[str, Any]:
    return {"service": service, "outcome": outcome}


def ask(answer: str | None = None, there_at: str | None = None) -> dict[str, Any]:
    return {"answer": answer, "there_at": there_at}


@pytest.mark.parametrize(
    ("visits", "calls", "asks", "expected"),
    [
        ([], [], [], []),
        ([visit("requested", "cancelled")], [], [], []),
        ([visit("arrived", "access", "checked", "lifted", "left")], [], [], [Outcome.RESPONDER_LIFTED]),
        ([visit("arrived", "access", "checked", "not-lifted")], [], [], [Outcome.RESPONDER_NO_LIFT]),
        ([visit("arrived", "no-access"), visit("no-access", "access")], [], [],
         [Outcome.RESPONDER_NO_LIFT, Outcome.RESPONDER_NO_ACCESS]),
        ([], [call("ambulance")], [], [Outcome.AMBULANCE_CALLED]),
        (
            [],
            [call("ambulance", "conveyed"), call("ambulance", "stood-down"), call("fire"), call("police", "attended")],
            [],
            [Outcome.AMBULANCE_CALLED, Outcome.AMBULANCE_CONVEYED, Outcome.AMBULANCE_STOOD_DOWN, Outcome.FIRE_SERVICE,
             Outcome.POLICE],
        ),
        ([], [], [ask("cannot"), ask("going")], [Outcome.CONTACT_ATTENDING]),
        ([], [], [ask(None, "now")], [Outcome.CONTACT_ATTENDING]),
        ([], [], [ask("cannot"), ask()], []),
    ],
)  # fmt: skip
def test_what_was_done_follows_from_what_was_written_down(
    visits: list[Any], calls: list[Any], asks: list[Any], expected: list[Outcome]
) -> None:
    assert outcomes_so_far(visits, calls, asks) == expected
