"""The words of the field: kinds of alarm, measures of readings, causes and outcomes.

Sources: the wire contract (docs/integrators.md); causes and outcomes after the workflow of a monitoring centre
(docs/operators.md).
"""

from enum import IntEnum, StrEnum
from typing import Final


class Kind(StrEnum):
    """What an alarm says."""

    # needs a person
    BUTTON = "button"
    FALL = "fall"
    PULL_CORD = "pull-cord"
    SEIZURE = "seizure"
    SMOKE = "smoke"
    HEAT = "heat"
    CARBON_MONOXIDE = "carbon-monoxide"
    GAS = "gas"
    FLOOD = "flood"
    BED_EXIT = "bed-exit"
    CHAIR_EXIT = "chair-exit"
    DOOR = "door"
    PROPERTY_EXIT = "property-exit"
    INACTIVITY = "inactivity"
    TEMPERATURE_LOW = "temperature-low"
    TEMPERATURE_HIGH = "temperature-high"
    MEDICATION_MISSED = "medication-missed"
    BOGUS_CALLER = "bogus-caller"
    PANIC = "panic"
    ENURESIS = "enuresis"
    INTRUDER = "intruder"
    PERSON_DOWN = "person-down"
    # technical
    BATTERY_LOW = "battery-low"
    BATTERY_FAILED = "battery-failed"
    MAINS_LOST = "mains-lost"
    MAINS_RESTORED = "mains-restored"
    NETWORK_LOST = "network-lost"
    NETWORK_RESTORED = "network-restored"
    DEVICE_SILENT = "device-silent"
    DEVICE_RESTORED = "device-restored"
    TAMPER = "tamper"
    FAULT = "fault"
    # about an alarm
    CANCEL = "cancel"
    TEST = "test"
    # ours: what arrived as an alarm and could not be understood
    UNKNOWN = "unknown"


TECHNICAL: Final = frozenset(
    {
        Kind.BATTERY_LOW,
        Kind.BATTERY_FAILED,
        Kind.MAINS_LOST,
        Kind.MAINS_RESTORED,
        Kind.NETWORK_LOST,
        Kind.NETWORK_RESTORED,
        Kind.DEVICE_SILENT,
        Kind.DEVICE_RESTORED,
        Kind.TAMPER,
        Kind.FAULT,
    }
)
NEEDS_A_PERSON: Final = frozenset(Kind) - TECHNICAL - {Kind.CANCEL, Kind.TEST}

KIND_WORDS: Final[dict[Kind, str]] = {
    Kind.BUTTON: "Pendant pressed",
    Kind.FALL: "Fall detected",
    Kind.PULL_CORD: "Pull cord",
    Kind.SEIZURE: "Seizure",
    Kind.SMOKE: "Smoke",
    Kind.HEAT: "High heat",
    Kind.CARBON_MONOXIDE: "Carbon monoxide",
    Kind.GAS: "Gas",
    Kind.FLOOD: "Flood",
    Kind.BED_EXIT: "Out of bed",
    Kind.CHAIR_EXIT: "Out of chair",
    Kind.DOOR: "Door",
    Kind.PROPERTY_EXIT: "Left the home",
    Kind.INACTIVITY: "No movement",
    Kind.TEMPERATURE_LOW: "Home too cold",
    Kind.TEMPERATURE_HIGH: "Home too hot",
    Kind.MEDICATION_MISSED: "Medication missed",
    Kind.BOGUS_CALLER: "Bogus caller",
    Kind.PANIC: "Panic button",
    Kind.ENURESIS: "Bed sensor: wet",
    Kind.INTRUDER: "Intruder",
    Kind.PERSON_DOWN: "Person down",
    Kind.BATTERY_LOW: "Battery low",
    Kind.BATTERY_FAILED: "Battery failed",
    Kind.MAINS_LOST: "Mains power lost",
    Kind.MAINS_RESTORED: "Mains power back",
    Kind.NETWORK_LOST: "Network lost",
    Kind.NETWORK_RESTORED: "Network back",
    Kind.DEVICE_SILENT: "Device silent",
    Kind.DEVICE_RESTORED: "Device heard again",
    Kind.TAMPER: "Tamper",
    Kind.FAULT: "Fault",
    Kind.CANCEL: "Wearer says: I'm fine",
    Kind.TEST: "Equipment test",
    Kind.UNKNOWN: "Alarm that could not be read",
}
POSSIBLE_FALL: Final = "possible-fall"  # `evidence.outcome` of a fall alarm whose detector is not sure
NO_FALL: Final = "no-fall"  # ... of the blow before a press, that the hub took for none


def is_possible(kind: Kind, outcome: object) -> bool:
    """Whether an alarm says of itself that it may be one only; `outcome` is its evidence's, whatever that is."""
    return kind is Kind.FALL and outcome == POSSIBLE_FALL


def title_of(kind: Kind, *, possible: bool = False) -> str:
    """What an alarm or an alert is called wherever people read its name."""
    return "Possible fall" if possible and kind is Kind.FALL else KIND_WORDS[kind]


class Priority(IntEnum):
    """Four levels, whose order is fixed by policy and not by the device."""

    EMERGENCY = 1
    URGENT = 2
    ATTENTION = 3
    TECHNICAL = 4


PRIORITY_WORDS: Final[dict[Priority, str]] = {
    Priority.EMERGENCY: "Emergency",
    Priority.URGENT: "Urgent",
    Priority.ATTENTION: "Attention",
    Priority.TECHNICAL: "Technical",
}


class Role(StrEnum):
    """Who a member of staff is to the service."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    RESPONDER = "responder"
    CARER = "carer"
    COMMISSIONER = "commissioner"
    ADMIN = "admin"


class PersonState(StrEnum):
    """How a person stands with the service. Being away is part of their care plan."""

    ACTIVE = "active"
    KIT_FAULT = "kit-fault"  # the alarm cannot be relied on
    DECEASED = "deceased"
    ENDED = "ended"  # no longer with the service


PERSON_STATE_WORDS: Final[dict[PersonState, str]] = {
    PersonState.ACTIVE: "Active",
    PersonState.KIT_FAULT: "Kit fault",
    PersonState.DECEASED: "Has died",
    PersonState.ENDED: "Service ended",
}
STOPPED: Final = frozenset({PersonState.DECEASED, PersonState.ENDED})  # nobody is written to, nothing is watched

BOOLEAN_MEASURES: Final = frozenset({"motion", "open", "occupied", "pressed", "worn"})
NUMBER_MEASURES: Final[dict[str, str]] = {
    "temperature": "Cel",
    "humidity": "%RH",
    "illuminance": "lx",
    "power": "W",
    "battery": "%EL",
    "rssi": "dBm",
    "steps": "count",
    "impacts-dismissed": "count",
    "falls-taken-back": "count",
    "heart-rate": "beat/min",
    "spo2": "%",
    "systolic": "mmHg",
    "diastolic": "mmHg",
    "weight": "kg",
    "glucose": "mmol/L",
}
MEASURES: Final = BOOLEAN_MEASURES | NUMBER_MEASURES.keys()


class Cause(StrEnum):
    """Why the alarm went off: one per alert, given when it is closed."""

    FALL_ON_FLOOR = "fall-on-floor"
    FALL_UP = "fall-up"
    NEAR_FALL = "near-fall"
    CHEST_OR_HEART = "chest-or-heart"
    BREATHING = "breathing"
    STROKE_SIGNS = "stroke-signs"
    OTHER_ILLNESS = "other-illness"
    BLEEDING_OR_INJURY = "bleeding-or-injury"
    CANNOT_GET_UP = "cannot-get-up"
    PERSONAL_HELP = "personal-help"
    REASSURANCE = "reassurance"
    FIRE_OR_SMOKE = "fire-or-smoke"
    CO_OR_GAS = "co-or-gas"
    FLOOD = "flood"
    INTRUDER_OR_VIOLENCE = "intruder-or-violence"
    WANDERING_OR_EXIT = "wandering-or-exit"
    NO_MOVEMENT = "no-movement"
    EQUIPMENT_FAULT = "equipment-fault"
    POWER_OR_LINE = "power-or-line"
    TEST = "test"
    ACCIDENTAL = "accidental"
    STAFF_VISIT = "staff-visit"
    OTHER = "other"
    NOT_KNOWN = "not-known"


CAUSE_WORDS: Final[dict[Cause, str]] = {
    Cause.FALL_ON_FLOOR: "Fall, still on the floor",
    Cause.FALL_UP: "Fall, up again",
    Cause.NEAR_FALL: "Near fall or unsteady",
    Cause.CHEST_OR_HEART: "Chest pain or heart",
    Cause.BREATHING: "Breathing",
    Cause.STROKE_SIGNS: "Stroke signs",
    Cause.OTHER_ILLNESS: "Other illness",
    Cause.BLEEDING_OR_INJURY: "Bleeding or injury",
    Cause.CANNOT_GET_UP: "Cannot get up (no fall)",
    Cause.PERSONAL_HELP: "Personal help",
    Cause.REASSURANCE: "Anxious, wanted reassurance",
    Cause.FIRE_OR_SMOKE: "Fire or smoke",
    Cause.CO_OR_GAS: "Carbon monoxide or gas",
    Cause.FLOOD: "Flood",
    Cause.INTRUDER_OR_VIOLENCE: "Intruder or violence",
    Cause.WANDERING_OR_EXIT: "Wandering or left the home",
    Cause.NO_MOVEMENT: "No movement",
    Cause.EQUIPMENT_FAULT: "Equipment fault",
    Cause.POWER_OR_LINE: "Power or line",
    Cause.TEST: "Test",
    Cause.ACCIDENTAL: "Accidental",
    Cause.STAFF_VISIT: "Staff visit",
    Cause.OTHER: "Other",
    Cause.NOT_KNOWN: "Not known (no contact)",
}


class Outcome(StrEnum):
    """What was done: one or more per alert."""

    REASSURED = "reassured"
    INFORMATION = "information"
    CONTACT_ATTENDING = "contact-attending"
    CONTACT_INFORMED = "contact-informed"
    RESPONDER_LIFTED = "responder-lifted"
    RESPONDER_NO_LIFT = "responder-attended-no-lift"
    RESPONDER_NO_ACCESS = "responder-no-access"
    AMBULANCE_CALLED = "ambulance-called"
    AMBULANCE_ATTENDED = "ambulance-attended"
    AMBULANCE_CONVEYED = "ambulance-conveyed"
    AMBULANCE_STOOD_DOWN = "ambulance-stood-down"
    FIRE_SERVICE = "fire-service"
    POLICE = "police"
    GP_OR_111 = "gp-or-111"
    URGENT_COMMUNITY_RESPONSE = "urgent-community-response"
    NO_HELP_NEEDED = "no-help-needed"
    KIT_VISIT_BOOKED = "kit-visit-booked"
    REFERRED_FALLS = "referred-falls"
    REFERRED_SOCIAL_CARE = "referred-social-care"
    REFERRED_SAFEGUARDING = "referred-safeguarding"
    LEFT_NO_REPLY_CONFIRMED_ELSEWHERE = "left-no-reply-confirmed-elsewhere"


OUTCOME_WORDS: Final[dict[Outcome, str]] = {
    Outcome.REASSURED: "Reassured",
    Outcome.INFORMATION: "Information given",
    Outcome.CONTACT_ATTENDING: "Contact attending",
    Outcome.CONTACT_INFORMED: "Contact informed only",
    Outcome.RESPONDER_LIFTED: "Responder lifted",
    Outcome.RESPONDER_NO_LIFT: "Responder attended, no lift",
    Outcome.RESPONDER_NO_ACCESS: "Responder could not get in",
    Outcome.AMBULANCE_CALLED: "Ambulance called",
    Outcome.AMBULANCE_ATTENDED: "Ambulance attended",
    Outcome.AMBULANCE_CONVEYED: "Ambulance took to hospital",
    Outcome.AMBULANCE_STOOD_DOWN: "Ambulance stood down",
    Outcome.FIRE_SERVICE: "Fire service",
    Outcome.POLICE: "Police",
    Outcome.GP_OR_111: "GP or 111",
    Outcome.URGENT_COMMUNITY_RESPONSE: "Urgent community response",
    Outcome.NO_HELP_NEEDED: "No help needed (person confirmed)",
    Outcome.KIT_VISIT_BOOKED: "Kit visit booked",
    Outcome.REFERRED_FALLS: "Referred: falls team",
    Outcome.REFERRED_SOCIAL_CARE: "Referred: social care",
    Outcome.REFERRED_SAFEGUARDING: "Referred: safeguarding",
    Outcome.LEFT_NO_REPLY_CONFIRMED_ELSEWHERE: "Left, no reply; safe confirmed elsewhere",
}


class ConfirmedBy(StrEnum):
    """Who said that the person is safe."""

    PERSON = "person"
    ON_SITE = "someone-on-site"
    CREW = "crew"
    HOSPITAL = "hospital"
    TWO_PEOPLE = "two-people"  # nobody was reached, and a second person agreed: it goes to review
    SYSTEM = "system"  # level 4 and tests only: there is no person to be safe


CONFIRMED_BY_WORDS: Final[dict[ConfirmedBy, str]] = {
    ConfirmedBy.PERSON: "The person, in their own words",
    ConfirmedBy.ON_SITE: "Someone with them",
    ConfirmedBy.CREW: "Ambulance or other crew",
    ConfirmedBy.HOSPITAL: "Hospital",
    ConfirmedBy.TWO_PEOPLE: "Nobody: two of us agreed to close without contact",
    ConfirmedBy.SYSTEM: "Nobody needed (technical)",
}
