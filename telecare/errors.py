"""Errors, sorted by what is done next."""


class TelecareError(Exception):
    """Everything this project raises on purpose."""


class CannotStart(TelecareError):
    """A setting is wrong or a part is missing. Say one line and stop with a non-zero exit."""


class UnreadableMessage(TelecareError):
    """What arrived is not what its topic promises. Keep its bytes and let the next one through."""


class NotFound(TelecareError):
    """There is no such person, home, hub, user or alert."""


class Refused(TelecareError):
    """The request is understood and not allowed as things stand; the text says why."""
