"""The `telecare` command: the ground floor's subcommands, and those that each service registers."""

import sys
from importlib.metadata import entry_points

import psycopg
import typer

from telecare import admin_cli
from telecare.deploy import cli as deploy
from telecare.errors import TelecareError

app = typer.Typer(
    name="telecare",
    help="An open telecare monitoring service.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Run the command. What goes wrong on purpose is one line on standard error, and exit code 1."""
    admin_cli.register(app)
    deploy.register(app)
    for point in sorted(entry_points(group="telecare.commands"), key=lambda p: p.name):
        point.load()(app)
    try:
        app()
    except TelecareError as problem:
        sys.exit(f"telecare: {problem}")
    except OSError as problem:
        what = f"{problem.filename}: " if problem.filename else ""
        sys.exit(f"telecare: {what}{problem.strerror or problem}")
    except psycopg.OperationalError as problem:
        sys.exit(f"telecare: the database: {str(problem).strip().splitlines()[0]}")
