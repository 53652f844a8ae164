"""The built-in scripts, read from the tables beside this file: one file each, and `shared.toml` for what many ask."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

from alerts.scripts import Answer, Do, Question, Script, problems
from telecare.vocabulary import Cause, Kind

_SHARED: Final = "shared.toml"


class WrongScript(ValueError):
    """A table that is no script: a bug of whoever wrote it, found by the tests and at the start."""


@cache
def built_in() -> dict[str, Script]:
    """Every built-in script by its id.

    Raises:
        WrongScript: a table is wrong, or two are for the same kind, or none is for some kind.
    """
    tables = {
        one.name: tomllib.loads(one.read_text(encoding="utf-8"))
        for one in files("alerts").joinpath("script_tables").iterdir()
        if one.name.endswith(".toml")
    }
    shared = {question["id"]: question for question in tables.pop(_SHARED)["question"]}
    found = [script_of(table, shared) for _, table in sorted(tables.items())]
    asked = [(kind, one.possible) for one in found for kind in one.kinds]
    if len(set(asked)) < len(asked) or set(Kind) != {kind for kind, possible in asked if not possible}:
        raise WrongScript("each kind has one script, and a possible fall has one")
    return {one.id: one for one in found}


@cache
def script_for(kind: Kind, possible: bool = False) -> Script:
    """The script for an alert of this kind; `possible`: of one that may be a fall, and no more than that."""
    fitting = [one for one in built_in().values() if kind in one.kinds]
    return next((one for one in fitting if one.possible == possible), fitting[0])


def script_of(table: dict[str, Any], shared: dict[str, Any]) -> Script:
    """A script from its table.

    `use` names questions of `shared` that it asks too; `[lead]` says which of its questions a shared question's
    `next` stands for.

    Raises:
        WrongScript: it may not stand.
    """
    try:
        lead = table.get("lead", {})
        questions = [*table.get("question", ()), *(shared[name] for name in table.get("use", ()))]
        script = Script(
            id=table["id"], version=table["version"], title=table["title"], possible=table.get("possible", False),
            kinds=frozenset(Kind(kind) for kind in table["kinds"]), begin=table["begin"], cause=Cause(table["cause"]),
            questions={one["id"]: _question(one, lead) for one in questions}, sources=tuple(table.get("sources", ())),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as problem:
        raise WrongScript(f"{table.get('id')}: {problem!r}") from problem
    if wrong := problems(script):
        raise WrongScript(f"{script.id}: {'; '.join(wrong)}")
    return script


def _question(table: dict[str, Any], lead: dict[str, str]) -> Question:
    given = {name: value for name, value in table.items() if name != "answers"}
    return Question(answers=tuple(_answer(one, lead) for one in table["answers"]), **given)


def _answer(table: dict[str, Any], lead: dict[str, str]) -> Answer:
    given = dict(table)
    if "do" in given:
        given["do"] = Do(given["do"])
    if "cause" in given:
        given["cause"] = Cause(given["cause"])
    if "next" in given:
        given["next"] = lead.get(given["next"], given["next"])
    return Answer(**given)
