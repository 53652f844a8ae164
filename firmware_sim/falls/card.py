"""The model's card: what it was fitted on, and how it does on whom it did not see; the training itself writes it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from firmware_sim.falls import augment, fit
from firmware_sim.falls.train import AT_IMPACT_S, FOLDS, VARIANTS, Trained
from gateway.falls.model import WornAt

# What is known of data sets that we have met; a set of another name is listed without.
CITE: Final = {
    "sisfall": "Sucerquia, López, Vargas-Bonilla, Sensors 2017, 17(1), 198",
    "smartfallmm": "Texas State University, SmartFallMM (its README announces a paper)",
}
PLACES: Final[dict[WornAt, str]] = {
    "trunk": "waist, chest, neck, and where it is not known",
    "leg": "hip pocket, thigh, ankle",
    "wrist": "either",
}
_HEADS: Final = (
    *("data set", "position", "age", "stage", "falls", "sensitivity"),
    *("trials of daily living", "specificity", "false alarms an hour", "delay (s)"),
)


def card(trained: Trained) -> str:
    """The card, in Markdown."""
    model = trained.model
    lines = [
        f"# Model card: {model.name}",
        "",
        "Written by `telecare falls train`. The model judges six seconds of acceleration around an impact that a",
        "pendant's trigger let through: a fall, a possible fall, or none ([how it works](falls.md)).",
        "",
        "## Fitted on",
        "",
        "| data set | position | people | of whom 60 and older | falls | trials of daily living | hours of these |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *_data(trained),
        "",
        *(f"- {name}: {CITE.get(name, 'source not known to this program')}" for name in _sets(trained)),
        "",
        *_homes(trained),
        "The recordings are not part of this project. All falls are simulated, on mats, nearly all by younger people.",
        "",
        "## How",
        "",
        f"- {len(model.trees)} boosted trees of {fit.LEAVES} leaves (scikit-learn, `HistGradientBoostingClassifier`)"
        f" on {len(model.features)} features; seed {trained.seed}. Each trial also as {VARIANTS} other devices would",
        f"  have felt it: {_numbers(augment.RATES_HZ)} Hz, ±{_numbers(sorted(set(augment.RANGES_G)))} g, wrong gain and"
        " offset, a swinging cord, cut short.",
        f"- A fall is learned from the window within {AT_IMPACT_S:g} s of its recording's largest impact. What else a"
        " recording of a fall holds is not learned from.",
        f"- Calibrated (Platt: {model.slope:g}, {model.offset:g}) and limited on people whom the trees had not seen:"
        f" {FOLDS} groups of people, left out in turn.",
        *(
            f"- At the {at} ({PLACES[at]}): a possible fall from {each.possible:.3f} on,"
            f" a fall from {each.fall:.3f} on."
            for at, each in model.limits.items()
        ),
        "  The first is so low that each position loses 1 in"
        f" {1 / fit.LOST_AT_MOST:.0f} of its triggered recorded falls at most, and so high that",
        f"  {1 - fit.LEAST_QUIET['body']:.1%} of the triggered trials of daily living alarm; half-way where both hold."
        " Where they cannot, falls decide;",
        f"  at wrists daily living does ({1 - fit.LEAST_QUIET['wrist']:.0%}).",
        "",
        "## People it had not seen",
        "",
        *_table(trained.unseen_people),
        "",
        "## Data sets it had not seen",
        "",
        "Trees, calibration and limits from the other data sets alone.",
        "",
        *(_table(trained.unseen_sets) if trained.unseen_sets else ["There was only one."]),
        "",
        "## What is not known",
        "",
        "- Real falls of older people. No older person falls in these recordings.",
        "- Days and weeks at home: the hours above are of chosen activities, one after another, so false alarms an",
        "  hour say nothing about a day with twelve hours in a chair.",
        "- A pendant that swings on a cord, other than by reckoning. Wheelchairs, walking frames, tremor, epilepsy.",
        "- The probability is that of recordings in which falls and daily living weigh the same. At home falls are",
        "  thousands of times rarer.",
        "",
    ]
    return "\n".join(lines)


def _sets(trained: Trained) -> list[str]:
    return sorted({each.trial.dataset for each in trained.felt})


def _numbers(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _data(trained: Trained) -> list[str]:
    own = [each for each in trained.felt if each.recorded]
    lines = []
    for place in sorted({(each.trial.dataset, each.trial.position) for each in own}):
        those = [each for each in own if (each.trial.dataset, each.trial.position) == place]
        living = [each.trial for each in those if not each.trial.is_fall]
        people = {each.subject for each in those}
        older = {each.subject for each in those if each.trial.age_group == "older"}
        lines.append(
            f"| {place[0]} | {place[1]} | {len(people)} | {len(older)} | {len(those) - len(living)} | {len(living)} |"
            f" {sum(one.hours for one in living):.1f} |"
        )
    return lines


def _homes(trained: Trained) -> list[str]:
    """Labelled windows from homes, where there were any."""
    if not trained.labelled:
        return []
    kinds = Counter(one.source for one in trained.labelled)
    people = len({(one.dataset, one.subject) for one in trained.labelled})
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return [
        f"And {len(trained.labelled)} windows that were coded at the homes of {people} people who consented",
        f"({listed}). They teach; they are in none of the figures, nor in the calibration and the limits.",
        "",
    ]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| " + " | ".join(_HEADS) + " |", "| --- " * len(_HEADS) + "|"]
    for row in rows:
        cells = [
            row["dataset"],
            row["position"],
            row["age_group"],
            row["stage"],
            row["falls"],
            _interval(row, "sensitivity"),
            row["adl_trials"],
            _interval(row, "specificity"),
            _interval(row, "false_per_hour", "{:.2f}"),
            "" if row["delay_s_median"] is None else f"{row['delay_s_median']:.1f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _interval(row: dict[str, Any], name: str, form: str = "{:.3f}") -> str:
    if row[name] is None:
        return ""
    low, high = row[f"{name}_ci"]
    return f"{form.format(row[name])} ({form.format(low)} to {form.format(high)})"


def figures(rows: list[dict[str, Any]]) -> str:
    """The same table for a terminal."""
    return "\n".join(_table(rows))
