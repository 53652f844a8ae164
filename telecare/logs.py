"""Log lines: an event with ids, on standard error. People stay in the database."""

import logging
import time
from typing import Final

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Line(logging.Formatter):
    """`2026-11-23T22:41:07.123Z INFO ingest alarm stored event=… hub=…`: the extras as key=value behind the words."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        extras = "".join(f" {name}={value}" for name, value in vars(record).items() if name not in _PLAIN)
        line = f"{when} {record.levelname} {record.name} {record.getMessage()}{extras}".replace("\n", "\\n")
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def set_up_logs(level: int = logging.INFO) -> None:
    """Log to standard error, one line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it warns on each try while the database is away
