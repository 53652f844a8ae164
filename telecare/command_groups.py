"""Groups of commands that more than one service adds to (`telecare falls …`)."""

import typer


def group(app: typer.Typer, name: str, about: str) -> typer.Typer:
    """The group of this name, made where nobody has made it yet."""
    for known in app.registered_groups:
        if known.name == name and known.typer_instance is not None:
            return known.typer_instance
    made = typer.Typer(no_args_is_help=True, help=about)
    app.add_typer(made, name=name)
    return made


def falls(app: typer.Typer) -> typer.Typer:
    """`telecare falls`."""
    return group(app, "falls", "The fall detector: fit it to recordings, and measure it on them.")
