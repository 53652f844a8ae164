"""The shapes of the API's answers, for its OpenAPI description; a test holds the answers against them."""

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alerts.emergency import Service
from alerts.life import State
from alerts.tasks import TaskKind
from alerts.visiting import VisitState
from telecare.vocabulary import PersonState

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "problems": {"type": "array", "items": {"type": "string"}, "description": "with 422"},
        "claimed_by": {"type": ["string", "null"], "description": "with 409"},
        "state": {"type": "string", "description": "with 409"},
    },
}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IncidentNumbers(_Answer):
    """An incident in numbers of homes."""

    area: str
    timezone: str
    since: datetime
    cause: Literal["power cut", "network"] | None = Field(description="what half of the homes or more have in common")
    homes_count: int
    silent: int
    without_mains: int = Field(description="heard, on battery")
    on_second_network: int
    back: int
    unchecked: int = Field(description="neither back nor checked")


class HomeCheck(_Answer):
    """What an operator found out about a home of an incident."""

    at: datetime
    by: str
    result: Literal["safe", "sent", "no-answer"]
    words: str
    counts: bool = Field(description="false: the home has lost more since")


class Reachable(_Answer):
    """Somebody who wears an alarm, with how to ring them."""

    id: UUID
    name: str
    mobile: str


class OwnAlert(_Answer):
    """An open alert of a home alone."""

    id: int
    kind: str
    title: str = Field(description="what it is called where people read it")
    priority: Literal[1, 2, 3, 4]


class IncidentHome(_Answer):
    """A home of an incident."""

    home: UUID
    address: str
    postcode: str
    phone: str
    troubles: list[Literal["silent", "mains", "network"]] = Field(description="what is lost now; none: it is back")
    since: datetime
    back_at: datetime | None
    people: list[Reachable]
    score: int = Field(description="how far up it stands")
    why: list[str] = Field(description="why it stands there, the weightiest reason first")
    check: HomeCheck | None
    alerts: list[OwnAlert]


class Incident(IncidentNumbers):
    """An incident with its homes, those to be rung first first."""

    homes: list[IncidentHome]


class ListedAlert(_Answer):
    """An alert as the list shows it."""

    id: int
    person: UUID | None = Field(description="whose it is; null where that is not known")
    home: UUID | None = Field(description="null for an incident, which is of many homes")
    kind: str
    possible: bool = Field(description="it may be what `kind` says, and no more than that: a possible fall")
    title: str = Field(description="what it is called where people read it")
    priority: Literal[1, 2, 3, 4]
    state: State
    raised_at: datetime
    due_at: datetime | None = Field(description="when something happens by itself")
    claimed_by: str | None
    alarm_count: int
    wait_s: float = Field(description="seconds from raised to first claimed, or until now")
    step: int = Field(description="how far the unclaimed ladder has gone")
    reason: str
    policy: str = Field(description="the policy by which it has its level: a council, or the service, and the version")
    version: int
    hub: str | None = Field(description="the hub to speak through; null for an incident, and for a case from before")
    person_name: str | None
    person_state: PersonState | None = Field(description="how the person stands with the service; null as person")
    address: str = Field(description="an incident's is the name of its area")
    postcode: str
    claimed_by_name: str | None
    was_with: str | None = Field(description="whose screen was lost, where it waits again because of that")
    shelved_until: datetime | None = Field(description="a technical alert that is put aside: until then")
    shelved_why: str
    shelved_by_name: str | None
    incident: IncidentNumbers | None


class NotifiedAlert(ListedAlert):
    """An alert after its contact was told, or could not be."""

    told: bool


class CalledAlert(ListedAlert):
    """An alert after a call was begun."""

    call: UUID


class AlertList(_Answer):
    """Some alerts."""

    alerts: list[ListedAlert]


class Alarm(_Answer):
    """A signal from a device."""

    id: UUID
    hub: str | None = Field(description="null for a case from before")
    kind: str
    title: str = Field(description="what it is called where people read it")
    device: str
    location: str | None
    at: datetime | None = Field(description="when it happened, by the device's clock")
    clock_synced: bool
    received_at: datetime
    test: bool
    evidence: dict[str, Any]
    doubts: list[str] = Field(description="what was wrong with it")
    repeats: int
    joined_at: datetime


class LogEntry(_Answer):
    """One step in an alert's life."""

    at: datetime
    who: str
    what: str
    detail: dict[str, Any]
    who_name: str


class VisitStep(_Answer):
    """One step of a visit."""

    at: datetime
    by: str
    state: str
    detail: dict[str, Any]


class Visit(_Answer):
    """A responder's visit."""

    id: UUID
    responder: str
    responder_name: str
    second: str = Field(description="who goes with them; empty: alone")
    state: VisitState
    due_at: datetime | None = Field(description="when the next step is overdue")
    eta_at: datetime | None
    requested_at: datetime
    arrived_at: datetime | None
    left_at: datetime | None
    missed: int = Field(description="deadlines in a row at which nothing was heard")
    steps: list[VisitStep]


class EmergencyCall(_Answer):
    """An emergency service that was called."""

    id: UUID
    service: Service
    reference: str
    called_by: str
    called_at: datetime
    eta_at: datetime | None
    access_told: bool
    on_line: str
    state: Literal["awaited", "at-scene", "ended"]
    due_at: datetime | None
    arrived_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    taken_to: str


class Assessment(_Answer):
    """What an operator found the need to be."""

    by: str
    at: datetime
    cause: str
    on_floor: bool
    floor_since: datetime | None
    red_flags: list[str]
    answers: dict[str, Any] = Field(description="question to answer, in words")
    decision: str
    reason: str
    script: str | None = Field(description="by which the answers were given; null: by none")
    script_version: int | None


class Agreement(_Answer):
    """Who agreed that an alert may be closed although nobody was reached."""

    by: str
    at: datetime
    why: str


class Review(_Answer):
    """What a supervisor says to how an alert was handled."""

    by: str
    at: datetime
    score: int
    words: str


class WholeAlert(ListedAlert):
    """An alert with everything that happened."""

    claimed_at: datetime | None
    first_claimed_at: datetime | None
    closed_at: datetime | None
    cause: str | None
    outcomes: list[str]
    confirmed_by: str | None
    how: str | None
    agreed_by: str | None = Field(description="the second person, where it was closed without contact")
    agreed_why: str | None
    spoken_at: datetime | None = Field(description="when the person's own voice was first heard")
    floor_since: datetime | None
    lifted_at: datetime | None = Field(description="up again, at the latest")
    safe_at: datetime | None
    wrap_up: dict[str, Any] | None
    wrapped_up_at: datetime | None
    assessment: Assessment | None
    agreed: Agreement | None
    review: Review | None
    visits: list[Visit]
    emergency_calls: list[EmergencyCall]
    incident: Incident | None
    alarms: list[Alarm]
    log: list[LogEntry]


class TimelineAlarm(_Answer):
    """An alarm on a home's timeline."""

    id: UUID
    kind: str
    title: str = Field(description="what it is called where people read it")
    device: str
    location: str | None
    at: datetime | None
    received_at: datetime
    test: bool
    evidence: dict[str, Any]
    doubts: list[str]
    alert: int | None


class TimelineReading(_Answer):
    """A reading on a home's timeline; booleans are 1 and 0."""

    at: datetime
    device: str
    measure: str
    value: float | None


class Timeline(_Answer):
    """What happened in a home."""

    home: UUID
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    alarms: list[TimelineAlarm]
    readings: list[TimelineReading]
    truncated: bool


class Task(_Answer):
    """Work for a day and a time."""

    id: int
    kind: TaskKind
    words: str
    due_at: datetime
    overdue: bool
    breached_at: datetime | None = Field(description="when it was found overdue")
    made_at: datetime
    made_by: str = Field(description="a user name, or `system`: a rule")
    made_by_name: str
    person: UUID | None
    person_name: str | None
    home: UUID | None
    address: str
    timezone: str
    alert: int | None
    done_at: datetime | None
    done_by: str | None
    done_by_name: str | None
    done_how: str | None


class TaskList(_Answer):
    """Open tasks, those that are due first first."""

    tasks: list[Task]


class TaskDone(_Answer):
    """A task that is done now."""

    id: int
    done_at: datetime
