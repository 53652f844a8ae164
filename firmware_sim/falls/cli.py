"""`telecare falls train` and `telecare falls evaluate`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from telecare import command_groups
from telecare.errors import CannotStart, Refused

Data = Annotated[Path, typer.Option("--data", help="a directory of recordings (docs/recordings.md)")]

MODEL_FILE: Final = "model.json"
CARD_FILE: Final = "model-card.md"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = command_groups.falls(app)
    group.command("train")(_train)
    group.command("evaluate")(_evaluate)


def _train(
    data: Data,
    out: Annotated[Path, typer.Option(help="the directory for the model and its card")] = Path("falls-model"),
    seed: Annotated[int, typer.Option(min=0, help="the same seed and recordings give the same model")] = 1,
) -> None:
    """Fit the second stage to recorded trials, and write it with its card. A few minutes on two cores."""
    import msgspec

    from firmware_sim.falls.card import card
    from firmware_sim.falls.labelled import labels_in, read_labels
    from firmware_sim.falls.train import train
    from firmware_sim.recordings import Wanted, read_trials, recordings_in

    trials = read_trials(recordings_in(data), Wanted(), about=True)
    labelled = read_labels(labels_in(data))
    trained = train(trials, seed, lambda line: typer.echo(line, err=True), labelled=labelled)
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL_FILE).write_bytes(msgspec.json.encode(trained.model) + b"\n")
    (out / CARD_FILE).write_text(card(trained))
    sys.stdout.write(f"{out / MODEL_FILE}, {out / CARD_FILE}\n")


def _evaluate(
    data: Data,
    positions: Annotated[
        list[str] | None, typer.Option(help="only these positions; several with commas, or the option again")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    model: Annotated[Path | None, typer.Option(help="a model to measure instead of the one that comes along")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Measure the detector on recorded trials, by data set, position and age group (docs/falls.md)."""
    from firmware_sim.falls.card import figures
    from firmware_sim.falls.evaluate import outcomes, report
    from firmware_sim.recordings import Wanted, read_trials, recordings_in
    from gateway.falls.model import read, shipped

    if more and not positions:
        raise Refused(f"{' '.join(more)}: not understood; positions are given with --positions")
    wanted = {name for each in [*(positions or []), *(more or [])] for name in each.split(",") if name}
    trials = read_trials(recordings_in(data), Wanted(), about=True)
    chosen = (trial for trial in trials if not wanted or trial.position in wanted)
    rows = report(outcomes(chosen, read(model.read_bytes()) if model else shipped()))
    if not rows:
        raise CannotStart(f"{data}: no trial at {', '.join(sorted(wanted)) or 'any position'}")
    sys.stdout.write((json.dumps({"groups": rows}) if as_json else figures(rows)) + "\n")
