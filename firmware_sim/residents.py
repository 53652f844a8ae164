"""Invented people for the register. Nobody here exists; telephone numbers are Ofcom's, set aside for drama."""

import random
from datetime import date, timedelta
from typing import Final

from telecare.register.homes import NewContact, NewPerson

REFERENCE_YEAR: Final = 2026  # ages are counted from here, so that the same seed invents the same people for ever
AGES: Final = (72, 97)

_WOMEN: Final = (
    "Margaret", "Jean", "Dorothy", "Sheila", "Pauline", "Brenda", "Maureen", "Joyce", "Gwen", "Parveen", "Sushila",
    "Bronwen", "Mairi", "Eunice", "Beryl", "Winifred", "Hyacinth", "Agnieszka", "Audrey", "Rosemary", "Nasreen",
)  # fmt: skip
_MEN: Final = (
    "Kenneth", "Derek", "Ronald", "Brian", "Dennis", "Gordon", "Trevor", "Stanley", "Idris", "Mohammed", "Harbhajan",
    "Leroy", "Hamish", "Clifford", "Bernard", "Roy", "Winston", "Stanislaw", "Norman", "Alan", "Tariq",
)  # fmt: skip
_SURNAMES: Final = (
    "Ashworth", "Barlow", "Cartwright", "Dhillon", "Evans", "Fairbairn", "Griffiths", "Hussain", "Ibbotson", "Jenkins",
    "Kowalski", "Lockwood", "MacLeod", "Nolan", "Okafor", "Patel", "Quinn", "Rahman", "Sutcliffe", "Thackray",
    "Underhill", "Vickers", "Whitaker", "Yates", "Campbell", "Singh", "Braithwaite", "O'Connor", "Pritchard", "Marsden",
)  # fmt: skip
_YOUNGER: Final = (
    "Alison", "Karen", "Tracey", "Samina", "Claire", "Joanne", "Rhian", "Ewa", "Marcia", "Helen",
    "Andrew", "Imran", "Paul", "Gareth", "Simon", "Marek", "Delroy", "Neil", "Jaspal", "Martin",
)  # fmt: skip
_LANGUAGES: Final = {"Parveen": "Urdu", "Nasreen": "Urdu", "Sushila": "Gujarati", "Bronwen": "Welsh",
                     "Agnieszka": "Polish", "Stanislaw": "Polish", "Harbhajan": "Punjabi"}  # fmt: skip
_CONDITIONS: Final = (
    "Type 2 diabetes", "COPD", "Heart failure", "Atrial fibrillation, takes apixaban (bleeds easily)", "Osteoporosis",
    "Parkinson's disease", "Early dementia: repeat questions calmly", "Hard of hearing: speak slowly, to the left ear",
    "Macular degeneration: sees shapes only", "Stroke in the past, weak right arm", "Arthritis in both knees",
    "Epilepsy", "High blood pressure",
)  # fmt: skip
_MOBILITY: Final = (
    "Walks without aids", "Walks with one stick", "Walking frame indoors, wheelchair outside", "Walking frame",
    "Two sticks; slow on stairs", "Furniture-walks; cannot get up from the floor alone",
    "Stairlift; transfers with help",
)  # fmt: skip
_WISHES: Final = (
    "", "", "Please ring my daughter before an ambulance unless I am hurt.",
    "Do not call after 10 pm unless it is urgent.", "I like to be called by my first name.",
    "No strangers upstairs, please.",
)  # fmt: skip
_RELATIONSHIPS: Final = ("daughter", "son", "neighbour", "niece", "friend", "grandson", "home carer")


def landline(number: int) -> str:
    """A telephone number that is nobody's: 01632 960000 to 960999."""
    return f"01632 960{number % 1000:03d}"


def mobile(number: int) -> str:
    """A mobile number that is nobody's: 07700 900000 to 900999."""
    return f"07700 900{number % 1000:03d}"


def surname(rng: random.Random) -> str:
    """A family's name."""
    return rng.choice(_SURNAMES)


def resident(rng: random.Random, family: str, *, woman: bool) -> NewPerson:
    """Someone of an age to wear an alarm, with one to three contacts."""
    first = rng.choice(_WOMEN if woman else _MEN)
    born = date(REFERENCE_YEAR - rng.randint(*AGES), 1, 1) + timedelta(days=rng.randrange(365))
    return NewPerson(
        name=f"{first} {family}",
        known_as=rng.choice(("", "", "", f"{'Mrs' if woman else 'Mr'} {family}")),
        born=born,
        mobile=mobile(rng.randrange(1000)) if rng.random() < 0.5 else "",
        language=_LANGUAGES.get(first, "English"),
        conditions="; ".join(rng.sample(_CONDITIONS, rng.randint(0, 3))),
        mobility=rng.choice(_MOBILITY),
        wishes=rng.choice(_WISHES),
        contacts=tuple(_contact(rng, family) for _ in range(rng.randint(1, 3))),
    )


def _contact(rng: random.Random, family: str) -> NewContact:
    relationship = rng.choice(_RELATIONSHIPS)
    first = rng.choice(_YOUNGER)
    last = family if relationship in ("daughter", "son", "grandson") and rng.random() < 0.6 else surname(rng)
    address = f"{first}.{last}".lower().replace("'", "")
    return NewContact(
        name=f"{first} {last}",
        relationship=relationship,
        phone=mobile(rng.randrange(1000)),
        email=f"{address}@example.org",
        has_key=rng.random() < 0.6,
    )
