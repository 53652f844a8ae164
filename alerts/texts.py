"""What contacts are told, in one SMS each: who writes, what it is, one thing to do.

No diagnosis, address or key code: others may read the screen. Each text is given in several lengths; the first that
fits is sent. Words for the telephone and for e-mail are in alerts/long_texts.py.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from alerts.on_call import News
from telecare.vocabulary import PRIORITY_WORDS

LIMIT: Final = 160  # characters: one SMS
_NAME: Final = 12  # characters of a name where it must be short


def _fitting(texts: Sequence[str]) -> str:
    return next((text for text in texts if len(text) <= LIMIT), texts[-1][:LIMIT])


def ask_text(
    *,
    service: str,
    phone: str,
    contact: str,
    person: str,
    at_local: datetime,
    answered: bool,
    link: str,
    replies: bool = False,
) -> str:
    """Asks a contact to go, with the link on which to answer; with `replies`, by 1 or 2 as well."""
    doing = "We are helping now." if answered else "No operator has answered yet."
    one_or_two = "Reply 1 for yes, 2 for no."
    found = []
    for names in ((contact, person), (contact[:_NAME], person[:_NAME])):
        begin = f"{service}: {names[0]}, {names[1]}'s alarm went off at {at_local:%H:%M}."
        if replies:
            found += [
                f"{begin} {doing} Can you go? {one_or_two} Or {link} or call {phone}",
                f"{begin} Can you go? {one_or_two} Or {link} or call {phone}",
                f"{begin} {doing} Can you go? {one_or_two} Or call {phone}",
                f"{begin} Can you go? {one_or_two} Or call {phone}",
            ]
        found += [
            f"{begin} {doing} Can you go? Answer: {link} or call {phone}",
            f"{begin} Can you go? Answer: {link} or call {phone}",
            f"{begin} Can you go? Answer: {link}",
            f"{begin} {doing} Can you go? Please call {phone}",  # no room for a link
        ]
    return _fitting([*found, f"{service}: {person[:_NAME]}'s alarm went off. Please call {phone}"])


def next_text(*, service: str, phone: str, contact: str, person: str, next_one: str, replies: bool = False) -> str:
    """Tells a contact who has not answered that the next one is asked; they may still go."""
    how = f"reply 1 or call {phone}" if replies else f"use our link or call {phone}"
    return _fitting(
        [
            f"{service}: {contact}, we still need someone to go to {person}. We are now asking {next_one}."
            f" If you can go, {how}",
            f"{service}: {contact[:_NAME]}, we still need someone to go to {person[:_NAME]}. If you can go, {how}",
            f"{service}: we still need someone to go. If you can, call {phone}",
        ]
    )


def late_text(*, service: str, phone: str, contact: str, person: str, link: str) -> str:
    """Tells a contact who has not arrived in time that others are asked."""
    return _fitting(
        [
            f"{service}: {contact}, are you with {person}? Tell us: {link} or call {phone}. We are asking others too.",
            f"{service}: {contact[:_NAME]}, are you there? Tell us: {link} We are asking others too.",
            f"{service}: {contact[:_NAME]}, are you with {person[:_NAME]}? Call {phone}. We are asking others too.",
        ]
    )


def going_text(*, service: str, phone: str, contact: str, person: str, who: str, there: bool = False) -> str:
    """Tells the others who were asked that somebody goes, or is there."""
    rest, does = "You do not need to do anything.", "is with" if there else "is going to"
    return _fitting(
        [
            f"{service}: {contact}, {who} {does} {person}. {rest} Questions? Call {phone}",
            f"{service}: {contact[:_NAME]}, {who[:_NAME]} {does} {person[:_NAME]}. {rest}",
        ]
    )


def hospital_text(*, service: str, phone: str, contact: str, person: str, hospital: str, left_local: datetime) -> str:
    """Tells a contact that an ambulance has left with the person."""
    return _fitting(
        [
            f"{service}: {contact}, an ambulance is taking {person} to {hospital}. It left at {left_local:%H:%M}."
            f" Please call us on {phone}",
            f"{service}: {contact[:_NAME]}, an ambulance is taking {person[:_NAME]} to hospital."
            f" Please call us on {phone}",
        ]
    )


def over_text(
    *,
    service: str,
    phone: str,
    contact: str,
    person: str,
    confirmed_by: str | None,
    with_them: tuple[str, datetime] | None = None,
) -> str:
    """Tells those who were asked how it ended; `with_them` is a contact who was there, and since when."""
    ends = {
        "hospital": f"{person} is in the hospital's care. Please call us",
        "crew": f"A crew has been with {person}. Please call us",
    }
    if how := ends.get(confirmed_by or ""):
        texts = [f"{service}: {contact}, {how} on {phone}"]
    else:
        rest = f"You do not need to do anything. Questions? Call {phone}"
        texts = [f"{service}: {contact}, {person} is safe. {rest}"]
        if with_them is not None:
            who, since = with_them
            texts.insert(0, f"{service}: {contact}, {person} is safe. {who} was there at {since:%H:%M}. {rest}")
    return _fitting([*texts, f"{service}: {contact[:_NAME]}, {person[:_NAME]}'s alert has ended. Call {phone}"])


def invitation_text(*, service: str, contact: str, person: str, link: str) -> str:
    """Invites a contact to their page."""
    return _fitting(
        [
            f"{service}: {contact}, {person} has named you as a contact. See what that means, and log in: {link}",
            f"{service}: {contact[:_NAME]}, your page as {person[:_NAME]}'s contact: {link}",
            f"{service}: your page: {link}",
        ]
    )


def test_text(*, service: str, contact: str, at_local: datetime) -> str:
    """Shows a contact that messages reach them."""
    return _fitting(
        [
            f"{service}: {contact}, this is the test message that you asked for at {at_local:%H:%M}. It works.",
            f"{service}: this is the test message that you asked for. It works.",
        ]
    )


def fault_text(*, service: str, phone: str, contact: str, person: str) -> str:
    """Tells a contact who may know of it that the alarm cannot be relied on. It asks for nothing."""
    return _fitting(
        [
            f"{service}: {contact}, {person}'s alarm is not working as it should. We are seeing to it. "
            f"Questions? Call {phone}",
            f"{service}: {person[:_NAME]}'s alarm is not working as it should. We are seeing to it. Call {phone}",
            f"{service}: {person[:_NAME]}'s alarm is faulty. Call {phone}",
        ]
    )


def fault_over_text(*, service: str, phone: str, contact: str, person: str) -> str:
    """Tells those who were told of a fault that it is put right."""
    return _fitting(
        [
            f"{service}: {contact}, {person}'s alarm works again. You do not need to do anything. "
            f"Questions? Call {phone}",
            f"{service}: {person[:_NAME]}'s alarm works again. Questions? Call {phone}",
        ]
    )


# ---------------------------------------------------------------- to those on call


def on_call_text(*, service: str, phone: str, news: News) -> str:
    """Tells somebody on call what nobody sees to: numbers and levels, and nothing about anybody."""
    how = f"Open the console or call {phone}"
    alerts = alert_sentences(news)
    if news.no_screen:
        room = "No operator's screen is connected."
        alerts = [*(f"{room} {one[:1].upper()}{one[1:]}" for one in alerts), f"{room} Nobody may see an alert."]
    return _fitting([*(f"{service}: {one} {how}" for one in alerts), f"{service}: alerts need you. Call {phone}"])


def alert_sentences(news: News, *, spoken: bool = False) -> list[str]:
    """What the alerts of some news come to, the longest first; none where it is about no alert."""
    first = f"alert {news.first} ({PRIORITY_WORDS[news.level].lower()})"
    count, waited = news.waiting + news.alone, _span(news.waited_s, spoken)
    if count == 0:
        return []
    if count == 1 and news.waiting:
        return [f"{first} has waited {waited} and nobody has taken it."]
    if count == 1:
        return [f"{first} was taken and is left alone: nobody has done anything for some time."]
    waits = f", which has waited {waited}" if news.waited_s else ""
    if news.alone == 0:
        texts = [f"{count} alerts wait and nobody has taken them, first {first}{waits}."]
    elif news.waiting == 0:
        texts = [f"{count} alerts were taken and are left alone, first {first}."]
    else:
        texts = [f"{news.waiting} alerts wait, {news.alone} are left alone, first {first}{waits}."]
    return [*texts, f"{count} alerts need you, first {first}."]


def _span(seconds: int, spoken: bool) -> str:
    if seconds < 120:
        return f"{seconds} seconds" if spoken else f"{seconds} s"
    return f"{seconds // 60} minutes" if spoken else f"{seconds // 60} min"


def on_call_test_text(*, service: str, name: str, at_local: datetime) -> str:
    """Shows somebody on call that messages reach them."""
    return _fitting(
        [
            f"{service}: {name}, this test of {at_local:%H:%M} shows how you are reached on call. Nothing is wrong.",
            f"{service}: this is a test of how you are reached on call. Nothing is wrong.",
        ]
    )
