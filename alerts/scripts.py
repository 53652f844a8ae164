"""The script beside a case: which question is open, what the answers given so far advise. Pure.

A script is data (`script_files` reads it): questions as an operator says them aloud, a few answers to each, and what
follows from an answer. It never decides: it suggests what the operator then writes down, and nothing waits for it.

It goes by the kind of alarm, the person's service type and the answers. What the record says of a person is repeated
as it stands there; no conclusion is drawn from its words. Rule: "script beside the case", after Resgrid's protocols
(docs/operators.md); signs: ISTUMBLE (`visiting`); who is not reached: the no-contact rule (`calls.next_step`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from alerts.visiting import ISTUMBLE
from telecare.rota import ServiceType
from telecare.vocabulary import Cause, Kind

ANSWERS: Final = (2, 9)  # of a question: one key each
ASK_LIMIT: Final = 160  # characters that are said in one breath
ANSWER_LIMIT: Final = 60  # characters on a button


class Do(StrEnum):
    """What an answer advises, the gravest first."""

    AMBULANCE = "ambulance"
    FIRE = "fire"
    POLICE = "police"
    GO = "go"  # somebody goes to the person: who, by their service type
    CONTACT = "contact"
    KIT = "kit"  # the equipment needs somebody
    WATCH = "watch"
    REASSURE = "reassure"


SERVICES: Final = frozenset({Do.AMBULANCE, Do.FIRE, Do.POLICE})
_RANK: Final = {Do.AMBULANCE: 6, Do.FIRE: 6, Do.POLICE: 6, Do.GO: 5, Do.CONTACT: 4, Do.KIT: 3, Do.WATCH: 2,
                Do.REASSURE: 1}  # fmt: skip
_WORDS: Final = {
    Do.AMBULANCE: "Ring 999: ambulance",
    Do.FIRE: "Ring 999: fire service",
    Do.POLICE: "Ring 999: police",
    Do.GO: "Send a responder",
    Do.CONTACT: "Ask a contact",
    Do.KIT: "Book a kit visit",
    Do.WATCH: "Keep watching",
    Do.REASSURE: "Reassure them",
}
_DECISION: Final = {
    Do.AMBULANCE: "emergency-service",
    Do.FIRE: "emergency-service",
    Do.POLICE: "emergency-service",
    Do.GO: "visit",
    Do.CONTACT: "contact",
    Do.KIT: "visit",
    Do.WATCH: "watch",
    Do.REASSURE: "reassure",
}
# Whose contacts go: the service has promised no responder of its own (Camden: silver service).
CONTACTS_GO: Final = frozenset({ServiceType.SILVER, ServiceType.CARER_ALERT})
_CONTACTS_GO_WORDS: Final = "Ask the contacts to go, in their order; nobody can: 999"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of a question's answers, and what follows from it."""

    id: str
    words: str
    next: str | None = None  # the question that is open then; None: the script ends
    red_flag: str | None = None  # a sign of ISTUMBLE
    do: Do | None = None
    advice: str = ""  # in addition to what `do` says
    cause: Cause | None = None
    on_floor: bool | None = None  # None: says nothing of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked."""

    id: str
    ask: str
    answers: tuple[Answer, ...]
    hint: str = ""  # for the operator alone
    unless_red_flag: bool = False  # not asked once there is a red flag: nobody is told to get up then

    def answer(self, answer_id: str) -> Answer | None:
        """The answer of this id."""
        return next((one for one in self.answers if one.id == answer_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script. What it says never changes under a version."""

    id: str
    version: int
    title: str
    kinds: frozenset[Kind]
    possible: bool  # for a fall that is only possible
    begin: str
    cause: Cause  # where no answer has said another
    questions: Mapping[str, Question]
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A question with the answer that counts."""

    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, as far as is known."""

    do: Do
    words: str  # what to do
    more: tuple[str, ...]  # what to bear in mind
    decision: str  # as an assessment says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Where a script stands."""

    given: tuple[Given, ...] = ()
    open: Question | None = None  # None: it has ended
    red_flags: tuple[str, ...] = ()
    advice: Advice | None = None  # the gravest that an answer has given
    cause: Cause
    on_floor: bool = False


def next_steps(script: Script, answers: Mapping[str, str], service: ServiceType | None = None) -> Steps:
    """The open question, the red flags and the advice that follow from `answers` (question id to answer id).

    Answers that this script does not know, or to questions that are not on the way, say nothing. `service` is the
    person's service type; None: not known whose alert it is.
    """
    walk = _Walk(script.cause)
    at: str | None = script.begin
    while at is not None and (question := script.questions.get(at)) is not None and not walk.leaves_out(question):
        chosen = question.answer(answers.get(question.id, ""))
        if chosen is None:
            return walk.steps(question, service)
        walk.take(question, chosen)
        at = chosen.next
    return walk.steps(None, service)


@dataclass(slots=True)
class _Walk:
    cause: Cause
    given: list[Given] = field(default_factory=list)
    red_flags: list[str] = field(default_factory=list)
    on_floor: bool = False

    def leaves_out(self, question: Question) -> bool:
        been = any(one.question.id == question.id for one in self.given)  # in a circle, which `problems` refuses
        return been or (question.unless_red_flag and bool(self.red_flags))

    def take(self, question: Question, answer: Answer) -> None:
        self.given.append(Given(question, answer))
        if answer.red_flag and answer.red_flag not in self.red_flags:
            self.red_flags.append(answer.red_flag)
        self.cause = answer.cause or self.cause
        self.on_floor = self.on_floor if answer.on_floor is None else answer.on_floor

    def steps(self, question: Question | None, service: ServiceType | None) -> Steps:
        is_up = self.cause is Cause.FALL_ON_FLOOR and not self.on_floor and self._said_of_floor()
        return Steps(
            given=tuple(self.given), open=question, red_flags=tuple(self.red_flags), advice=self._advice(service),
            cause=Cause.FALL_UP if is_up else self.cause, on_floor=self.on_floor,
        )  # fmt: skip

    def _said_of_floor(self) -> bool:
        return any(one.answer.on_floor is not None for one in self.given)

    def _advice(self, service: ServiceType | None) -> Advice | None:
        """The gravest that was given; of those equally grave the last. What was said beside it stays."""
        advising = [one.answer for one in self.given if one.answer.do is not None]
        if not advising:
            return None
        gravest = max(_RANK[one.do] for one in advising if one.do)
        do = next(one.do for one in reversed(advising) if one.do and _RANK[one.do] == gravest)
        more = tuple(dict.fromkeys(one.advice for one in advising if one.advice and one.do and _RANK[one.do] > 1))
        more = more or tuple(one.advice for one in advising if one.advice)
        if do is Do.GO and service in CONTACTS_GO:
            return Advice(do, _CONTACTS_GO_WORDS, more, "contact")
        return Advice(do, _WORDS[do], more, _DECISION[do])


# ---------------------------------------------------------------- what the record says


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the script's card repeats of a person's record."""

    name: str
    language: str = ""
    conditions: str = ""
    mobility: str = ""
    wishes: str = ""


def other_language(person: PersonFacts) -> str | None:
    """The language in which the person is spoken with, where the record names another than English alone."""
    language = person.language.strip()
    return None if language.casefold() in ("", "english") else language


def reminders(person: PersonFacts) -> list[tuple[str, str]]:
    """What is on the record and whoever goes is told, word for word: (what it is, the words)."""
    said = (("Conditions", person.conditions), ("Mobility", person.mobility), ("Wishes", person.wishes))
    return [(name, words.strip()) for name, words in said if words.strip()]


# ---------------------------------------------------------------- what a script may be


def problems(script: Script) -> list[str]:
    """Why a script may not stand, one line each; empty when it may."""
    found = [f"{question.id}: {words}" for question in script.questions.values() for words in _wrong(script, question)]
    if script.begin not in script.questions:
        found.append(f"begin: there is no question {script.begin}")
    if found:
        return found
    reached: set[str] = set()
    for path in paths(script):
        reached |= {one.question.id for one in path}
        ids = [one.question.id for one in path]
        if len(set(ids)) < len(ids):
            return [f"{' > '.join(ids)}: goes in a circle"]
        if not any(one.answer.do for one in path):
            found.append(f"{' > '.join(one.answer.id for one in path)}: ends without an advice")
    return found + [f"{name}: is never asked" for name in sorted(script.questions.keys() - reached)]


def _wrong(script: Script, question: Question) -> Iterator[str]:
    if not 0 < len(question.ask) <= ASK_LIMIT:
        yield f"between 1 and {ASK_LIMIT} characters are said"
    if not ANSWERS[0] <= len(question.answers) <= ANSWERS[1]:
        yield f"between {ANSWERS[0]} and {ANSWERS[1]} answers"
    if len({one.id for one in question.answers}) < len(question.answers):
        yield "two answers are called the same"
    for one in question.answers:
        if not 0 < len(one.words) <= ANSWER_LIMIT:
            yield f"{one.id}: between 1 and {ANSWER_LIMIT} characters"
        if one.next is not None and one.next not in script.questions:
            yield f"{one.id}: there is no question {one.next}"
        if one.red_flag is not None and (one.red_flag not in ISTUMBLE or one.do is not Do.AMBULANCE):
            yield f"{one.id}: a red flag is a sign of ISTUMBLE, and an ambulance is called for it"


def paths(script: Script) -> Iterator[list[Given]]:
    """Every way through a script, from its first question to its end; a circle is left when it closes."""
    ways: list[list[Given]] = [[]]
    while ways:
        way = ways.pop()
        at = way[-1].answer.next if way else script.begin
        flagged = any(one.answer.red_flag for one in way)
        circle = way and any(one.question.id == way[-1].question.id for one in way[:-1])
        question = None if at is None or circle else script.questions[at]
        if question is None or (question.unless_red_flag and flagged):
            yield way
            continue
        ways += [[*way, Given(question, answer)] for answer in question.answers]
