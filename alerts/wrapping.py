"""What an alert's closing looks like from what was written down already: a pure function.

A suggestion for who closes, and no more: who confirmed that the person is safe, and how that is known, nothing suggests
(PRACTICE.md section 7, rule 3).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from alerts.visiting import VisitState
from telecare.vocabulary import Outcome

Fact = Mapping[str, Any]

_OF_SERVICES: Final = {"fire": Outcome.FIRE_SERVICE, "police": Outcome.POLICE}
_OF_AMBULANCES: Final = {
    "attended": Outcome.AMBULANCE_ATTENDED,
    "conveyed": Outcome.AMBULANCE_CONVEYED,
    "stood-down": Outcome.AMBULANCE_STOOD_DOWN,
}


def outcomes_so_far(visits: Iterable[Fact], calls: Iterable[Fact], asks: Iterable[Fact]) -> list[Outcome]:
    """What was done, of visits (`steps`), calls of emergency services (`service`, `outcome`) and questions to contacts
    (`there_at`, `answer`), in the order of the codes and each once.
    """
    found = {done for visit in visits if (done := _of_visit(visit)) is not None}
    found |= {done for call in calls for done in _of_call(call)}
    if any(ask["there_at"] or ask["answer"] == "going" for ask in asks):
        found.add(Outcome.CONTACT_ATTENDING)
    return [outcome for outcome in Outcome if outcome in found]


def _of_visit(visit: Fact) -> Outcome | None:
    been = {step["state"] for step in visit["steps"]}
    if VisitState.LIFTED in been:
        return Outcome.RESPONDER_LIFTED
    if VisitState.ACCESS in been:
        return Outcome.RESPONDER_NO_LIFT
    return Outcome.RESPONDER_NO_ACCESS if VisitState.NO_ACCESS in been else None


def _of_call(call: Fact) -> list[Outcome]:
    if call["service"] in _OF_SERVICES:
        return [_OF_SERVICES[call["service"]]]
    heard = _OF_AMBULANCES.get(call["outcome"] or "")
    return [Outcome.AMBULANCE_CALLED, *([heard] if heard is not None else ())]
