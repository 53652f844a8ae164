"""The service's settings in the shapes that the core takes."""

from datetime import timedelta

from alerts.domain import Ladder
from alerts.ladder import Timing
from alerts.life import Limits
from alerts.visiting import VisitLimits
from telecare.settings import Settings


def ladder(settings: Settings) -> Ladder:
    """When unclaimed alerts move on."""
    return Ladder(
        resound=timedelta(seconds=settings.resound_s),
        supervisor=timedelta(seconds=settings.supervisor_s),
        second_site=timedelta(seconds=settings.second_site_s),
        breach=timedelta(seconds=settings.breach_s),
        technical=timedelta(seconds=settings.technical_s),
    )


def limits(settings: Settings) -> Limits:
    """How long alerts that somebody has may be left alone."""
    return Limits(
        alone=timedelta(seconds=settings.alone_s),
        welfare=timedelta(seconds=settings.welfare_s),
        welfare_floor=timedelta(seconds=settings.welfare_floor_s),
        wrap_up=timedelta(seconds=settings.wrap_up_s),
        technical=timedelta(seconds=settings.technical_s),
        supervisor_after=settings.missed_supervisor,
    )


def visit_limits(settings: Settings) -> VisitLimits:
    """How long each part of a visit may take before somebody asks."""
    return VisitLimits(
        accept=timedelta(seconds=settings.visit_accept_s),
        set_off=timedelta(seconds=settings.visit_set_off_s),
        late=timedelta(seconds=settings.visit_late_s),
        check_in=timedelta(seconds=settings.visit_check_in_s),
        again=timedelta(seconds=settings.visit_again_s),
        report=timedelta(seconds=settings.visit_report_s),
    )


def carers_ladder(settings: Settings) -> Timing:
    """When the ladder of contacts moves on."""
    return Timing(
        voice=timedelta(seconds=settings.contact_voice_s),
        answer=timedelta(seconds=settings.contact_answer_s),
        grace=timedelta(seconds=settings.arrival_grace_s),
        again=timedelta(seconds=settings.ladder_again_s),
        repeats=settings.ladder_rounds,
    )


def command_validity(settings: Settings) -> timedelta:
    """How long a hub obeys a command after it was made."""
    return timedelta(seconds=settings.command_valid_s)
