"""A version of the service that has one migration more: a package that registers itself, as any service's does."""

from pathlib import Path
from typing import Final

# Of a backend: it is inside such a migration's wait.
WAITING: Final = "state = 'active' and starts_with(query, 'select pg_sleep')"
HOW_MANY: Final = f"select count(*) from pg_stat_activity where {WAITING}"  # noqa: S608


def package(folder: Path, sql: str) -> Path:
    """Make it; put the returned folder on PYTHONPATH."""
    migrations = folder / "late_migrations"
    migrations.mkdir()
    (migrations / "__init__.py").write_text("ORDER = 99\n")
    (migrations / "0001_late.sql").write_text(sql + "\n")
    about = folder / "late-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[telecare.migrations]\nlate = late_migrations\n")
    return folder
