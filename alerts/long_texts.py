"""What people are told where there is more room than in one SMS: spoken on the telephone, and by e-mail.

No diagnosis, address or key code, as in the short texts: others may hear, or read.
"""

from datetime import datetime
from typing import Final

from alerts.on_call import News
from alerts.texts import alert_sentences

LIMIT: Final = 2000  # characters: what the outbox takes
_NAME: Final = 200  # characters of a name at most


def ask_spoken(*, service: str, phone: str, contact: str, person: str, at_local: datetime, answered: bool) -> str:
    """Asks a contact to go, in words to be spoken; the answer is a key."""
    person, contact = person[:_NAME], contact[:_NAME]
    doing = "We are helping now, and stay with it." if answered else "No operator has answered yet."
    return (
        f"Hello {contact}. This is {service}. {person}'s alarm went off at {at_local:%H:%M}. {doing} Can you go to"
        f" {person}? Press 1 if you can go, 2 if you cannot. To hear this again, press star. You can also call us on"
        f" {phone}."
    )[:LIMIT]


def ask_mail(
    *, service: str, phone: str, contact: str, person: str, at_local: datetime, answered: bool, link: str
) -> str:
    """Asks a contact to go, by e-mail."""
    person, contact = person[:_NAME], contact[:_NAME]
    doing = "We are helping now." if answered else "No operator has answered yet."
    return (
        f"{contact}, {person}'s alarm went off at {at_local:%H:%M}. {doing} Can you go to {person}?\n\n"
        f"Please answer here, yes or no: {link}\n\n"
        f"Or call {phone}. An operator stays with the alarm, whatever you answer.\n\n{service}"
    )[:LIMIT]


def on_call_spoken(*, service: str, phone: str, news: News) -> str:
    """Tells somebody on call what nobody sees to, in words to be spoken. There is no key to press: who has heard it has
    not taken the alert.
    """
    room = ["No operator's screen is connected: nobody may see an alert."] if news.no_screen else []
    alerts = [f"{one[:1].upper()}{one[1:]}" for one in alert_sentences(news, spoken=True)[:1]]
    said = " ".join([*room, *alerts])
    return f"This is {service}, for whoever is on call. {said} Open the console, or call {phone}."[:LIMIT]


def on_call_test_spoken(*, service: str, name: str) -> str:
    """Shows somebody on call that calls reach them."""
    return f"Hello {name[:_NAME]}. This is {service}. This is a test of how you are reached on call. Nothing is wrong."
