"""What contacts are told fits in one SMS, and asks one thing."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts import long_texts, texts

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
US = {"service": "Anytown Telecare", "phone": "01632 960000"}
LINK = "http://127.0.0.1:8080/a/abcdefghijklmnop"
_NAMES = st.text(min_size=1, max_size=60)


@given(
    _NAMES, _NAMES, st.booleans(), st.booleans(), st.integers(0, 200),
    st.sampled_from(["person", "crew", "hospital", None]), st.text(min_size=1, max_size=30),
)  # fmt: skip
def test_every_text_is_one_sms(
    contact: str, person: str, answered: bool, replies: bool, length: int, confirmed: str | None, service: str
) -> None:
    link = "https://" + "x" * length
    us = {"service": service, "phone": "+44 1632 960000 00000"[:20], "contact": contact, "person": person}
    for text in (
        texts.ask_text(**us, at_local=NOW, answered=answered, link=link, replies=replies),
        texts.next_text(**us, next_one=person, replies=replies),
        texts.late_text(**us, link=link),
        texts.going_text(**us, who=person, there=answered),
        texts.hospital_text(**us, hospital=contact, left_local=NOW),
        texts.over_text(**us, confirmed_by=confirmed, with_them=(contact, NOW) if answered else None),
        texts.test_text(service=service, contact=contact, at_local=NOW),
    ):
        assert 0 < len(text) <= texts.LIMIT
        assert text.startswith(service)  # who writes comes first
    spoken = long_texts.ask_spoken(**us, at_local=NOW, answered=answered)
    written = long_texts.ask_mail(**us, at_local=NOW, answered=answered, link=link)
    assert "Press 1 if you can go, 2 if you cannot" in spoken
    assert link in written
    assert max(len(spoken), len(written)) <= long_texts.LIMIT


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


def test_the_drafts_stand_where_replies_reach_us_and_no_link_fits() -> None:
    jo, long = {"contact": "Jo", "person": "Mary"}, "https://telecare.anytown.example/a/" + "x" * 40
    assert texts.ask_text(**US, **jo, at_local=NOW, answered=True, link=long, replies=True) == (
        "Anytown Telecare: Jo, Mary's alarm went off at 12:00. We are helping now. Can you go?"
        " Reply 1 for yes, 2 for no. Or call 01632 960000"
    )
    with_link = texts.ask_text(**US, **jo, at_local=NOW, answered=True, link=LINK, replies=True)
    assert f"Reply 1 for yes, 2 for no. Or {LINK} or call" in with_link
    assert texts.next_text(**US, **jo, next_one="Ali", replies=True) == (
        "Anytown Telecare: Jo, we still need someone to go to Mary. We are now asking Ali. If you can go, reply 1 or"
        " call 01632 960000"
    )
    assert "eply" not in texts.next_text(**US, **jo, next_one="Ali")  # nobody would read it
    assert texts.hospital_text(**US, **jo, hospital="Anytown Hospital", left_local=NOW) == (
        "Anytown Telecare: Jo, an ambulance is taking Mary to Anytown Hospital. It left at 12:00. Please call us on"
        " 01632 960000"
    )
    assert texts.over_text(**US, **jo, confirmed_by="someone-on-site", with_them=("Sam", NOW)) == (
        "Anytown Telecare: Jo, Mary is safe. Sam was there at 12:00. You do not need to do anything. Questions?"
        " Call 01632 960000"
    )


def test_a_link_is_never_cut() -> None:
    for length in range(20, 200):
        link = "https://telecare.anytown.example/" + "x" * length
        text = texts.ask_text(**US, contact="Jo", person="Mary", at_local=NOW, answered=False, link=link)
        assert link in text or "https" not in text
        assert link in text or US["phone"] in text
