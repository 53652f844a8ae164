"""The shape of the API's answers about scripts (`models` has the others)."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from alerts.scripts import Do


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScriptChoice(_Answer):
    """One of a question's answers."""

    id: str
    words: str


class ScriptQuestion(_Answer):
    """A question of a script, with what was said to it last."""

    question: str
    ask: str
    hint: str
    answers: list[ScriptChoice]
    answer: str | None = Field(description="the answer that counts; null for the open question")
    heard: str = Field(description="the last answer in words; empty: none")
    at: datetime | None
    by: str | None
    by_name: str
    seen: int = Field(description="the number of that answer; 0: none")


class ScriptAdvice(_Answer):
    """What a script advises so far."""

    do: Do
    words: str
    more: list[str]
    decision: str = Field(description="as an assessment says it")


class Script(_Answer):
    """Where the script beside a case stands."""

    id: str
    version: int
    title: str
    sources: list[str]
    open: ScriptQuestion | None = Field(description="null: it has ended")
    given: list[ScriptQuestion] = Field(description="on the way to the open question, in order")
    answered_at: datetime | None
    red_flags: list[str] = Field(description="signs of ISTUMBLE")
    advice: ScriptAdvice | None
    cause: str
    on_floor: bool
