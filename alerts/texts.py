"""What contacts are told, in one SMS each: who writes, what it is, one thing to do.

No diagnosis, address or key code: others may read the screen. Each text is given in several lengths; the longest that
fits is sent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

LIMIT: Final = 160  # characters: one SMS
_NAME: Final = 12  # characters of a name where it must be short


def _fitting(texts: Sequence[str]) -> str:
    return next((text for text in texts if len(text) <= LIMIT), texts[-1][:LIMIT])


def ask_text(
    *, service: str, phone: str, contact: str, person: str, at_local: datetime, answered: bool, link: str
) -> str:
    """Asks a contact to go, with the link on which to answer."""
    doing = "We are helping now." if answered else "No operator has answered yet."
    found = []
    for names in ((contact, person), (contact[:_NAME], person[:_NAME])):
        begin = f"{service}: {names[0]}, {names[1]}'s alarm went off at {at_local:%H:%M}."
        found += [
            f"{begin} {doing} Can you go? Answer: {link} or call {phone}",
            f"{begin} Can you go? Answer: {link} or call {phone}",
            f"{begin} Can you go? Answer: {link}",
            f"{begin} {doing} Can you go? Please call {phone}",  # no room for a link
        ]
    return _fitting([*found, f"{service}: {person[:_NAME]}'s alarm went off. Please call {phone}"])


def going_text(*, service: str, phone: str, contact: str, person: str, who: str) -> str:
    """Tells the others who were asked that somebody goes."""
    rest = "You do not need to do anything."
    return _fitting(
        [
            f"{service}: {contact}, {who} is going to {person}. {rest} Questions? Call {phone}",
            f"{service}: {contact[:_NAME]}, {who[:_NAME]} is going to {person[:_NAME]}. {rest}",
        ]
    )


def over_text(*, service: str, phone: str, contact: str, person: str, confirmed_by: str | None) -> str:
    """Tells those who were asked how it ended."""
    ends = {
        "hospital": f"{person} is in the hospital's care. Please call us",
        "crew": f"A crew has been with {person}. Please call us",
    }
    how = ends.get(confirmed_by or "")
    texts = (
        [f"{service}: {contact}, {how} on {phone}"]
        if how
        else [f"{service}: {contact}, {person} is safe. You do not need to do anything. Questions? Call {phone}"]
    )
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
