import typer


def register(app: typer.Typer) -> None:
    """Placeholder while the module is being written."""
