"""Why a request is not answered with what it asked for."""

from telecare.errors import TelecareError


class NotLoggedIn(TelecareError):
    """Nobody is logged in: log in first."""


class NotAllowed(TelecareError):
    """This user's role does not include this."""


class StaleForm(TelecareError):
    """The form's token is missing or of another session: load the page again."""


class TooLarge(TelecareError):
    """More was sent than any of our forms holds."""


class TooManyLogins(TelecareError):
    """Too many failed logins: wait."""


class TooManyStreams(TelecareError):
    """As many event streams are open as this process serves."""
