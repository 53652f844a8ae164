"""The service's settings in the shapes that the core takes."""

from datetime import timedelta

from alerts.domain import Ladder
from telecare.settings import Settings


def ladder(settings: Settings) -> Ladder:
    """When unclaimed alerts move on."""
    return Ladder(
        resound=timedelta(seconds=settings.resound_s),
        supervisor=timedelta(seconds=settings.supervisor_s),
        second_site=timedelta(seconds=settings.second_site_s),
        breach=timedelta(seconds=settings.breach_s),
        technical=timedelta(seconds=settings.technical_s),
        welfare=timedelta(seconds=settings.welfare_s),
    )


def command_validity(settings: Settings) -> timedelta:
    """How long a hub obeys a command after it was made."""
    return timedelta(seconds=settings.command_valid_s)
