"""The shapes of the API's answers about the response team, for its OpenAPI description."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from alerts.responding import Doing, Kit, Skill


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CarriedKit(_Answer):
    """A piece of kit on board."""

    kind: Kit
    fault: str = Field(description="what is wrong with it; empty: it works")


class TeamMember(_Answer):
    """A responder."""

    username: str
    name: str
    skills: list[Skill]
    languages: list[str] = Field(description="beside English")
    place: str
    district: str = Field(description="postcode district; empty: not known")
    council: str
    recorded: bool = Field(description="false: nobody has written down what they bring")
    on_shift_until: datetime | None
    partner: str = Field(description="with whom they work; empty: alone")
    vehicle: str
    kit: list[CarriedKit]
    doing: Doing
    doing_words: str
    alert: int | None = Field(description="which holds them")


class HeldKey(_Answer):
    """A key that is out."""

    id: UUID
    tag: str
    home: UUID
    taken_by: str
    witness: str
    out_at: datetime
    due_at: datetime
    overdue: bool
    visit: UUID
    alert: int


class Team(_Answer):
    """The response team, and the keys that are out."""

    responders: list[TeamMember]
    keys_out: list[HeldKey]


class Suggested(_Answer):
    """Somebody who could be sent, with the reasons."""

    username: str
    name: str
    available: bool = Field(description="on shift, not away, not sent there already")
    reasons: list[str]
    against: list[str]
    doing: Doing
    doing_words: str
    alert: int | None
    partner: str
    vehicle: str


class Suggestions(_Answer):
    """Whom to send to an alert, the best first."""

    first: str | None = Field(description="who is suggested; null: nobody can be sent, as far as is known")
    warnings: list[str]
    unknown: list[str] = Field(description="what is not known and would matter")
    needs_lifting: bool | None = Field(description="null: not known")
    two_people: bool = Field(description="as the home's record asks")
    responders: list[Suggested]


class Code(_Answer):
    """The code of a key safe; empty where none is recorded. Keep it nowhere."""

    code: str
    for_whom: str


class KeyBack(_Answer):
    """A key that hangs in its place again."""

    key: UUID


class AskedCode(BaseModel):
    """To whom the code is read."""

    reader: str = Field(description="`visit:ID`, `service:ID` or `contact:ID` of somebody who is coming, or `else`")
    whom: str = Field(default="", description="with `else`: to whom")
    why: str = Field(default="", description="with `else`: why")


class ShiftChange(BaseModel):
    """A shift that begins, or ends; or until when somebody cannot be sent."""

    on_shift: bool = True
    from_at: datetime | None = None
    until_at: datetime | None = Field(default=None, description="needed to begin a shift")
    partner: str = ""
    vehicle: UUID | None = None

    def problems(self) -> list[str]:
        """What is missing or has no time zone."""
        times = {"from_at": self.from_at, "until_at": self.until_at}
        wrong = [f"{name}: with a time zone" for name, at in times.items() if at is not None and at.tzinfo is None]
        return wrong + (["until_at: say when the shift ends"] if self.on_shift and self.until_at is None else [])


class Back(BaseModel):
    """Who saw a key hung up."""

    witness: str
