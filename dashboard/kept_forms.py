"""What was entered into a form whose session had ended: it goes along through the login, and is then sent.

Nothing is stored: the login page carries the fields, and afterwards a page shows them with a button that sends them. It
is pressed by a person who sees what it sends, so that no other site can have anything sent in somebody's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData

from dashboard.access import Access, Reach

PREFIX: Final = "kept."  # of a field's name on the login page
PATH: Final = "kept_path"  # where the form was sent to
FROM: Final = "kept_from"  # the page that it was on
LIMIT: Final = 32 * 1024  # characters; the login takes twice as much
_NEVER: Final = frozenset({"csrf_token", "password", "username"})

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was not taken: where it was sent to, the page that it was on, and what was entered."""

    path: str
    page: str
    fields: Fields

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What a person reads of it: field and words, without what is empty."""
        return [(name.removesuffix("[]").replace("_", " "), value) for name, value in self.fields if value.strip()]


def can_keep(path: str, access: Access) -> bool:
    """Whether a form sent to this address is one of our own pages', and no file."""
    return (
        not access.upload and access.reach is not Reach.PROVIDER and not path.startswith(("/api/", "/log", "/hooks/"))
    )


def kept(path: str, page: str, form: FormData) -> Kept | None:
    """What is to be kept of a form that was sent; None where nothing was entered or it is too much."""
    fields = _texts(form.multi_items())
    if not fields or sum(len(name) + len(value) for name, value in fields) > LIMIT:
        return None
    return Kept(path, page, fields)


def carried(form: FormData) -> Kept | None:
    """What the login page carried along."""
    path, page = form.get(PATH), form.get(FROM)
    if not isinstance(path, str) or not isinstance(page, str) or not path:
        return None
    own = ((name.removeprefix(PREFIX), value) for name, value in form.multi_items() if name.startswith(PREFIX))
    return Kept(path, page, _texts(own))


def _texts(items: Iterable[tuple[str, object]]) -> Fields:
    return tuple((name, value) for name, value in items if isinstance(value, str) and name not in _NEVER)
