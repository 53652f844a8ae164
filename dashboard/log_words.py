"""What an alert's log says, in words."""

from collections.abc import Callable
from typing import Any, Final

from alerts.calls import RESULT_WORDS, Result
from dashboard.words import ZONE, cause_words, confirmed_words, kind_words, outcome_words, span, zone_of
from telecare.clock import parse_instant

LOG_WORDS: Final = {
    "raised": "Alert raised",
    "alarm-joined": "Another alarm joined",
    "repeated": "Pressed again",
    "re-sounded": "Sounded again for everyone",
    "escalated-supervisor": "Escalated to the supervisor",
    "escalated-second-site": "Escalated to the second site",
    "breached": "Not answered in time",
    "claimed": "Claimed",
    "claim-expired": "Claim ran out",
    "released": "Put back into the queue",
    "taken-over": "Taken over",
    "note": "Note",
    "contact-tried": "Tried to reach",
    "contact-answered": "Reached",
    "assessed": "Assessed",
    "notified": "Contact told",  # or somebody on call: `log_title`
    "notify-failed": "Contact could not be told",
    "answered": "Contact answered",
    "dispatched": "Sent",
    "visit": "Visit",
    "emergency-service": "Emergency service",
    "welfare-due": "Welfare check due",
    "announced": "Said to the person through the unit",
    "safe": "Person safe",
    "wrapped-up": "Wrapped up",
    "closed": "Closed",
    "reviewed": "Reviewed",
    "reopened": "Opened again",
    "corrected": "Corrected",
}
ANNOUNCED_WORDS: Final = {
    "help-is-coming": "“Help is coming”",
    "answered": "“An operator is with you”",
    "on-the-way": "“Someone is on the way”",
    "closed": "“The call has ended”",
}


def log_title(entry: dict[str, Any]) -> str:
    """What a log entry is called. Contacts and those on call are told alike, and are not the same people."""
    detail = entry["detail"] or {}
    if entry["what"] == "notified" and "on_call" in detail:
        return "Rung on call"
    if entry["what"] == "notify-failed" and "on_call" in detail:
        return "Not reached on call"
    return LOG_WORDS[entry["what"]]


def log_text(entry: dict[str, Any]) -> str:
    """The words of a log entry beside what it is."""
    detail = entry["detail"]
    special = _SPECIAL.get(entry["what"])
    if special is not None:
        phone = _by_the_phone(detail)
        return f"{special(detail).rstrip('.')}. {phone}." if phone else special(detail)
    parts = [
        _call_words(detail) if name == "result" else str(detail[name])
        for name in ("reason", "contact", "on_call", "result", "responder", "text", "note", "why")
        if detail.get(name)
    ]
    return ". ".join(parts)


def _call_words(detail: dict[str, Any]) -> str:
    line = "" if detail.get("line") == "contact" else f"{detail.get('line')}: "
    return f"{line}{RESULT_WORDS[Result(detail['result'])].lower()}, {span(detail.get('seconds') or 0)}"


def _closed(detail: dict[str, Any]) -> str:
    if "confirmed_by" not in detail:  # an equipment test, which closes itself
        return str(detail.get("reason", ""))
    done = ", ".join(outcome_words(outcome) for outcome in detail.get("outcomes", ()))
    words = f"{cause_words(detail['cause'])}. {done}. {_safe(detail)}"
    return f"{words} — {detail['note']}" if detail.get("note") else words


def _safe(detail: dict[str, Any]) -> str:
    return f"{confirmed_words(detail['confirmed_by'])}: {detail.get('how', '')}"


def _sentence(words: object) -> str:
    text = str(words or "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _alarm(detail: dict[str, Any]) -> str:
    return str(detail.get("reason") or kind_words(detail["kind"]) if "kind" in detail else "")


def _visit(detail: dict[str, Any]) -> str:
    if "arrived_at" not in detail:
        return str(detail.get("text", ""))
    at = parse_instant(detail["arrived_at"]).astimezone(zone_of(ZONE))
    return f"Arrived {at:%H:%M}. {detail.get('text', '')}"


def _by_the_phone(detail: dict[str, Any]) -> str:
    """What a responder's phone said of the time, where that is another than the entry's own."""
    if "not_believed" in detail:
        at = parse_instant(detail["not_believed"]).astimezone(zone_of(ZONE))
        return f"The phone said {at:%H:%M on %-d %b}, which is not believed"
    if "late_s" not in detail:
        return ""
    at = parse_instant(detail["entered_at"]).astimezone(zone_of(ZONE))
    return f"Entered on the phone at {at:%H:%M}, {span(detail['late_s'])} before it reached us"


_SPECIAL: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "closed": _closed,
    "safe": _safe,
    "raised": _alarm,
    "alarm-joined": _alarm,
    "repeated": _alarm,
    "visit": _visit,
    "taken-over": lambda detail: f"from {detail.get('from', '?')}: {detail.get('reason', '')}",
    "claim-expired": lambda detail: f"was with {detail.get('was_with', '?')}, whose screen is no longer connected",
    "announced": lambda detail: ANNOUNCED_WORDS.get(detail.get("text", ""), str(detail.get("text", ""))),
    "welfare-due": lambda detail: _sentence(detail.get("because")) or "Is the person safe?",
    "re-sounded": lambda detail: _sentence(detail.get("because")),
    "escalated-supervisor": lambda detail: _sentence(detail.get("because")),
}
