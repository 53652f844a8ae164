"""What templates compile to, kept for the whole process."""

from typing import Final

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

_KEPT: Final[dict[str, bytes]] = {}  # by the bucket's key, which holds the template's name; its checksum is inside


class Compiled(BytecodeCache):
    """Shared by every dashboard of one process: compiling the design system's macros takes a second."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept; a template that has changed since is compiled anew."""
        if (kept := _KEPT.get(bucket.key)) is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        _KEPT[bucket.key] = bucket.bytecode_to_string()
