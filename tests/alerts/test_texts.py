"""What contacts are told fits in one SMS, and asks one thing."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts import texts

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
US = {"service": "Anytown Telecare", "phone": "01632 960000"}
LINK = "http://127.0.0.1:8080/a/abcdefghijklmnop"
_NAMES = st.text(min_size=1, max_size=60)


@given(_NAMES, _NAMES, st.booleans(), st.integers(0, 200), st.sampled_from(["person", "crew", "hospital", None]))
def test_every_text_is_one_sms(contact: str, person: str, answered: bool, length: int, confirmed: str | None) -> None:
    link = "https://" + "x" * length
    for text in (
        texts.ask_text(**US, contact=contact, person=person, at_local=NOW, answered=answered, link=link),
        texts.going_text(**US, contact=contact, person=person, who=person),
        texts.over_text(**US, contact=contact, person=person, confirmed_by=confirmed),
        texts.test_text(service=US["service"], contact=contact, at_local=NOW),
    ):
        assert 0 < len(text) <= texts.LIMIT


def test_the_texts_say_who_what_and_one_thing_to_do() -> None:
    jo = {"contact": "Jo", "person": "Mary"}
    assert texts.ask_text(**US, **jo, at_local=NOW, answered=True, link=LINK) == (
        "Anytown Telecare: Jo, Mary's alarm went off at 12:00. We are helping now. Can you go?"
        f" Answer: {LINK} or call 01632 960000"
    )
    assert texts.going_text(**US, **jo, who="Ali") == (
        "Anytown Telecare: Jo, Ali is going to Mary. You do not need to do anything. Questions? Call 01632 960000"
    )
    assert "Mary is safe. You do not need to do anything." in texts.over_text(**US, **jo, confirmed_by="person")
    assert "hospital's care. Please call us on 01632 960000" in texts.over_text(**US, **jo, confirmed_by="hospital")
    assert LINK in texts.invitation_text(service=US["service"], **jo, link=LINK)


def test_a_link_is_never_cut() -> None:
    for length in range(20, 200):
        link = "https://telecare.anytown.example/" + "x" * length
        text = texts.ask_text(**US, contact="Jo", person="Mary", at_local=NOW, answered=False, link=link)
        assert link in text or "https" not in text
        assert link in text or US["phone"] in text
