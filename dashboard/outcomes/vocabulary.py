"""The words of reablement: why it began, how it ended, what came after, where people were on day 91.

Sequels after the categories of ASCOF 2A (England's Adult Social Care Outcomes Framework), reasons after those that
councils record for short-term support.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why an episode began."""

    HOSPITAL_DISCHARGE = "hospital-discharge"
    FALL = "fall"
    ILLNESS = "illness"
    CARER_CRISIS = "carer-crisis"
    REVIEW = "review"
    OTHER = "other"


REASON_WORDS: Final[dict[Reason, str]] = {
    Reason.HOSPITAL_DISCHARGE: "Discharged from hospital",
    Reason.FALL: "Fall at home",
    Reason.ILLNESS: "Illness at home",
    Reason.CARER_CRISIS: "Carer ill or away",
    Reason.REVIEW: "Review of long-term support",
    Reason.OTHER: "Other",
}


class EndReason(StrEnum):
    """Why an episode ended."""

    COMPLETED = "completed"
    HOSPITAL = "hospital"
    CARE_HOME = "care-home"
    DIED = "died"
    DECLINED = "declined"
    MOVED_AWAY = "moved-away"
    OTHER = "other"


END_REASON_WORDS: Final[dict[EndReason, str]] = {
    EndReason.COMPLETED: "Completed",
    EndReason.HOSPITAL: "Went into hospital",
    EndReason.CARE_HOME: "Moved into a care home",
    EndReason.DIED: "Died",
    EndReason.DECLINED: "Did not want to go on",
    EndReason.MOVED_AWAY: "Moved away",
    EndReason.OTHER: "Other",
}


class Sequel(StrEnum):
    """What support came after."""

    NONE = "none"
    UNIVERSAL = "universal"
    LOW_LEVEL = "low-level"
    SHORT_TERM = "short-term"
    LONG_TERM = "long-term"
    CARE_HOME = "care-home"
    HOSPITAL = "hospital"
    DIED = "died"
    EARLY_CESSATION = "early-cessation"
    DECLINED = "declined"
    SELF_FUNDED = "self-funded"


SEQUEL_WORDS: Final[dict[Sequel, str]] = {
    Sequel.NONE: "No support needed",
    Sequel.UNIVERSAL: "Universal services or signposted",
    Sequel.LOW_LEVEL: "Ongoing low-level support",
    Sequel.SHORT_TERM: "Other short-term support",
    Sequel.LONG_TERM: "Long-term support at home",
    Sequel.CARE_HOME: "Care home",
    Sequel.HOSPITAL: "Hospital",
    Sequel.DIED: "Died",
    Sequel.EARLY_CESSATION: "Ended early, before a decision",
    Sequel.DECLINED: "Declined further support",
    Sequel.SELF_FUNDED: "Pays for support themselves",
}


class Day91(StrEnum):
    """Where somebody was on day 91 after the start."""

    HOME = "home"
    HOSPITAL = "hospital"
    CARE_HOME = "care-home"
    DIED = "died"
    NOT_REACHED = "not-reached"


DAY91_WORDS: Final[dict[Day91, str]] = {
    Day91.HOME: "At home",
    Day91.HOSPITAL: "In hospital",
    Day91.CARE_HOME: "In a care home",
    Day91.DIED: "Had died",
    Day91.NOT_REACHED: "Could not be reached",
}


class Reached(StrEnum):
    """Whether a goal was reached, as the person sees it."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


REACHED_WORDS: Final[dict[Reached, str]] = {Reached.YES: "Yes", Reached.PARTLY: "Partly", Reached.NO: "No"}


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is measured at the start and at the end."""

    code: str
    words: str
    hint: str
    least: Decimal
    most: Decimal
    whole: bool = True  # a whole number; else one decimal place


# Barthel: Mahoney and Barthel 1965, scored 0 to 20 after Collin and others 1988. ASCOT SCT4: levels 1 (ideal) to 4
# (high needs), University of Kent. Both questionnaires have owners: whoever asks them needs their licence. Only results
# are kept here, no question, no weights.
MEASURES: Final = (
    Measure("barthel", "Barthel index", "0 to 20; higher is more independent", Decimal(0), Decimal(20)),
    Measure("sct4_control", "ASCOT SCT4: control over daily life", "1 ideal, 2 no needs, 3 some needs, 4 high needs",
            Decimal(1), Decimal(4)),
    Measure("sct4_safety", "ASCOT SCT4: feeling safe", "1 ideal, 2 no needs, 3 some needs, 4 high needs",
            Decimal(1), Decimal(4)),
    Measure("care_hours", "Hours of care a week", "0 to 168, paid and unpaid together", Decimal(0), Decimal(168),
            whole=False),
)  # fmt: skip
