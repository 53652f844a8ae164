"""Whether contacts who are asked are passed on from, and told how it ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.simulation.broken import ANSWER, ASKED, RECEIPT, TOLD, Broken
from tests.simulation.watch_time import SLACK_S

if TYPE_CHECKING:
    from tests.simulation.watch import Watch

ANSWER_S = 180.0


def told_the_end(watch: Watch) -> None:
    """Who was asked about an alert that has ended."""
    for ask in watch.seen.asks:
        if watch.seen.alerts[ask["alert"]]["closed"] and (not ask["over"] or not (ask["told"] or ask["stopped"])):
            raise Broken(ASKED, f"alert {ask['alert']} is closed, and a contact who was asked is not told")


def judge(watch: Watch, now: float, settled: bool) -> None:
    """All questions to contacts."""
    of_alert: dict[int, list[dict[str, Any]]] = {}
    for ask in watch.seen.asks:
        of_alert.setdefault(ask["alert"], []).append(ask)
        waits = ask["answer"] is None and not ask["passed"] and not ask["over"]
        if settled and waits and ask["round"] == 1 and now - ask["asked"] > ANSWER_S + SLACK_S:
            raise Broken(ASKED, f"alert {ask['alert']}: a contact has not answered for {now - ask['asked']:.0f} s")
    _passed_on(watch, of_alert)
    for number, asks in of_alert.items():
        hope = any(ask["answer"] == "going" or ask["by"] is not None or ask["stopped"] for ask in asks)
        hope = hope or any(alert == number for alert, _ in watch.seen.ladders)
        if not watch.seen.alerts[number]["closed"] and not hope and "notify-failed" not in watch.cases[number].said:
            raise Broken(ASKED, f"alert {number}: nobody goes, nobody is asked, and it is not said")
    if settled and any(end <= now for _, end in watch.seen.calls):
        raise Broken(TOLD, "a call that nobody ended has not ended")
    if settled and any(due <= now for due in (*watch.seen.visits, *watch.seen.services)):
        raise Broken(TOLD, "a visit or an emergency service is past its time, and nobody asks")


def _passed_on(watch: Watch, of_alert: dict[int, list[dict[str, Any]]]) -> None:
    for number, case in watch.cases.items():
        if any(ask["answer"] == "going" or ask["by"] is not None for ask in of_alert.get(number, [])):
            case.passed = False  # somebody else has been asked already, by hand
        if case.passed:
            words = f"alert {number}: a contact was passed on from, and nobody else was asked"
            raise Broken(ASKED, words, case.story)


# ---------------------------------------------------------------- what is answered


class Answers:
    """What contacts may have said in the step that is played: no more than that is written down."""

    def __init__(self) -> None:
        self.by: Collection[UUID] = ()  # whoever answers
        self.receipt = False  # nothing but a receipt was taken
        self._known: dict[str, str | None] = {}  # by question

    def judge(self, asks: list[dict[str, Any]]) -> None:
        """No question is answered but by whom it was put to, and by no receipt."""
        for ask in asks:
            if ask["answer"] not in (None, self._known.get(ask["id"])) and UUID(ask["contact"]) not in self.by:
                words = f"alert {ask['alert']}: a question counts as answered ({ask['answer']}), and was not"
                raise Broken(RECEIPT if self.receipt else ANSWER, words)
            self._known[ask["id"]] = ask["answer"]
        self.by, self.receipt = (), False
