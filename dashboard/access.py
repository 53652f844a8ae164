"""Who may do what: every route of the dashboard with the roles that it is for, and with whose things it reaches.

A route that is not here cannot be made: `auth.GuardedRoute` looks it up when it is made, so forgetting it stops the
start. The roles are checked there; the reach is kept by each page's queries and tried by tests, with everyone's ids.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from telecare.vocabulary import Role


class Reach(Enum):
    """Whose things a route shows or changes."""

    NOBODY = "nothing about any person"
    CENTRE = "everyone whom the monitoring centre looks after"
    COUNCIL = "everyone of the member's council; everyone, where the member belongs to no council"
    OWN_VISITS = "the visits to which the member is sent"
    OWN = "the people whose contact the member is"
    LINK = "what was sent to the holder of the link"
    PROVIDER = "what a provider was given to send, and what was sent to it"


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a route is for, and whose things it reaches."""

    reach: Reach
    roles: frozenset[Role] = frozenset()
    public: bool = False  # no login needed, from anywhere
    local: bool = False  # no login needed from this machine
    upload: bool = False  # takes a file, and so a larger body


PUBLIC: Final = Access(Reach.NOBODY, public=True)
LINK: Final = Access(Reach.LINK, public=True)
HOOK: Final = Access(Reach.PROVIDER, public=True)  # a token or a signature is asked for, and no login
ANYONE: Final = Access(Reach.NOBODY, frozenset(Role))
CONSOLE: Final = Access(Reach.CENTRE, frozenset({Role.OPERATOR, Role.SUPERVISOR}))
TEAM: Final = Access(Reach.CENTRE, frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.RESPONDER}))
SUPERVISING: Final = Access(Reach.CENTRE, frozenset({Role.SUPERVISOR}))
RECORDS: Final = Access(Reach.CENTRE, frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN}))
PLANNERS: Final = Access(Reach.CENTRE, frozenset({Role.SUPERVISOR, Role.ADMIN}))
ALERTS: Final = Access(Reach.CENTRE, frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN, Role.RESPONDER}))
RESPONDER: Final = Access(Reach.CENTRE, frozenset({Role.RESPONDER}))
OWN_VISIT: Final = Access(Reach.OWN_VISITS, frozenset({Role.RESPONDER}))
SHIFTS: Final = Access(Reach.CENTRE, frozenset({Role.SUPERVISOR, Role.RESPONDER}))  # a responder: their own
OWN_TOKEN: Final = Access(Reach.NOBODY, frozenset({Role.RESPONDER}))
CARER: Final = Access(Reach.OWN, frozenset({Role.CARER}))
REPORTS: Final = Access(Reach.COUNCIL, frozenset({Role.COMMISSIONER, Role.SUPERVISOR, Role.ADMIN}))
OUTCOMES: Final = Access(Reach.COUNCIL, frozenset({Role.COMMISSIONER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN}))
UPLOAD: Final = Access(OUTCOMES.reach, OUTCOMES.roles, upload=True)
POLICY: Final = Access(Reach.CENTRE, frozenset({Role.SUPERVISOR, Role.ADMIN}))
FIGURES: Final = Access(Reach.COUNCIL, frozenset({Role.SUPERVISOR, Role.ADMIN}))
ADMIN: Final = Access(Reach.CENTRE, frozenset({Role.ADMIN}))
MONITORING: Final = Access(Reach.NOBODY, frozenset({Role.ADMIN}), local=True)

ACCESS: Final[dict[str, Access]] = {
    "GET /login": PUBLIC,
    "POST /login": PUBLIC,
    "GET /static/{name}": PUBLIC,
    "GET /manifest.webmanifest": PUBLIC,
    "GET /push-worker.js": PUBLIC,
    "GET /responder-worker.js": PUBLIC,
    "GET /responder.webmanifest": PUBLIC,
    "GET /health": PUBLIC,
    "GET /metrics": MONITORING,
    "GET /api/openapi.json": PUBLIC,
    "GET /api/docs": PUBLIC,
    "GET /": ANYONE,
    "POST /logout": ANYONE,
    # the console
    "GET /console": CONSOLE,
    "GET /console/queue": CONSOLE,
    "GET /console/alerts/{alert_id}": CONSOLE,
    "POST /console/alerts/{alert_id}/key-safe": CONSOLE,
    "POST /console/alerts/{alert_id}/review": SUPERVISING,
    "POST /console/alerts/{alert_id}/{step}": CONSOLE,
    # tasks
    "GET /tasks": CONSOLE,
    "GET /tasks/new": CONSOLE,
    "POST /tasks/new": CONSOLE,
    "POST /tasks/{task_id}/done": CONSOLE,
    # the shift
    "GET /handover": CONSOLE,
    "POST /handover": CONSOLE,
    "GET /handover/{handover_id}": CONSOLE,
    "POST /handover/{handover_id}": CONSOLE,
    # supervisors
    "GET /board": SUPERVISING,
    "GET /board/now": SUPERVISING,
    "GET /quality": SUPERVISING,
    "GET /quality/{sample_id}": SUPERVISING,
    "POST /quality/{sample_id}": SUPERVISING,
    # the response team
    "GET /responders": CONSOLE,
    "POST /responders/{username}": SUPERVISING,
    "POST /responders/{username}/shift": SUPERVISING,
    "POST /vehicles": SUPERVISING,
    "POST /keys/{key_id}/back": CONSOLE,
    # records
    "GET /search": RECORDS,
    "GET /homes": RECORDS,
    "GET /homes/{home_id}": RECORDS,
    "GET /homes/{home_id}/timeline": RECORDS,
    "POST /homes/{home_id}/test-window": RECORDS,
    "POST /homes/{home_id}/keys": RECORDS,
    "GET /people/{person_id}": RECORDS,
    "GET /people/{person_id}/plan": RECORDS,
    "POST /people/{person_id}/plan": RECORDS,
    "GET /people/{person_id}/escalation": RECORDS,
    "POST /people/{person_id}/escalation": PLANNERS,
    "POST /people/{person_id}/contacts": PLANNERS,
    "POST /people/{person_id}/contacts/{contact_id}": PLANNERS,
    "POST /people/{person_id}/contacts/{contact_id}/move": PLANNERS,
    "POST /people/{person_id}/contacts/{contact_id}/rota": PLANNERS,
    "POST /people/{person_id}/contacts/{contact_id}/end": PLANNERS,
    "POST /people/{person_id}/contacts/{contact_id}/restore": PLANNERS,
    "GET /holidays": RECORDS,
    "POST /holidays": PLANNERS,
    "POST /holidays/remove": PLANNERS,
    "GET /plans": RECORDS,
    "GET /on-call": RECORDS,
    "POST /on-call": PLANNERS,
    "POST /on-call/{on_call_id}": PLANNERS,
    "POST /on-call/{on_call_id}/hours": PLANNERS,
    "POST /on-call/{on_call_id}/test": PLANNERS,
    "POST /on-call/{on_call_id}/end": PLANNERS,
    "POST /people/{person_id}/recordings": RECORDS,
    "POST /people/{person_id}/state": RECORDS,
    "POST /people/{person_id}/contacts/{contact_id}/consent": RECORDS,
    "POST /people/{person_id}/contacts/{contact_id}/invite": RECORDS,
    "GET /priorities": RECORDS,
    "POST /priorities": POLICY,
    "GET /performance": FIGURES,
    "GET /api/performance": FIGURES,
    # links of messages
    "GET /a/{token}": LINK,
    "POST /a/{token}": LINK,
    "GET /i/{token}": LINK,
    "POST /i/{token}": LINK,
    "GET /messages": RECORDS,
    # what providers tell us
    "POST /hooks/notify/receipts": HOOK,
    "POST /hooks/notify/texts": HOOK,
    "POST /hooks/webhook": HOOK,
    "POST /hooks/push/receipts": HOOK,
    "POST /hooks/push/renewals": HOOK,
    # one page each
    "GET /responder": RESPONDER,
    "POST /responder/shift": RESPONDER,
    "POST /responder/kit": RESPONDER,
    "POST /responder/visits/{visit_id}/key-safe": RESPONDER,
    "GET /responder/visits/{visit_id}": OWN_VISIT,
    "POST /responder/visits/{visit_id}/{to}": OWN_VISIT,
    "GET /responder/token": OWN_TOKEN,
    "GET /carer": CARER,
    "POST /carer/asks/{ask_id}": CARER,
    "POST /carer/contacts/{contact_id}/test": CARER,
    "POST /carer/devices": CARER,
    "POST /carer/devices/test": CARER,
    "POST /carer/devices/{device_id}/remove": CARER,
    "GET /admin": ADMIN,
    "GET /admin/callbacks": ADMIN,
    # outcomes
    "GET /commissioning": REPORTS,
    "GET /commissioning/progress": REPORTS,
    "GET /episodes": OUTCOMES,
    "GET /episodes/export.csv": OUTCOMES,
    "GET /episodes/new": OUTCOMES,
    "POST /episodes/new": OUTCOMES,
    "GET /episodes/import": OUTCOMES,
    "POST /episodes/import": UPLOAD,
    "GET /episodes/import/example.csv": OUTCOMES,
    "GET /episodes/import/{import_id}": OUTCOMES,
    "POST /episodes/import/{import_id}": OUTCOMES,
    "GET /episodes/import/{import_id}/wrong.csv": OUTCOMES,
    "GET /episodes/people/{person_id}": OUTCOMES,
    "POST /episodes/people/{person_id}/reference": OUTCOMES,
    "GET /episodes/{episode_id}": OUTCOMES,
    "POST /episodes/{episode_id}": OUTCOMES,
    "GET /api/reports": REPORTS,
    "GET /api/reports/{report}": REPORTS,
    # the API
    "GET /api/alerts": ALERTS,
    "GET /api/alerts/stream": ALERTS,
    "GET /api/alerts/{alert_id}": ALERTS,
    "POST /api/alerts/{alert_id}/claim": CONSOLE,
    "POST /api/alerts/{alert_id}/take-over": CONSOLE,
    "POST /api/alerts/{alert_id}/log": CONSOLE,
    "POST /api/alerts/{alert_id}/notify": CONSOLE,
    "POST /api/alerts/{alert_id}/contact-there": CONSOLE,
    "POST /api/alerts/{alert_id}/stop-asking": CONSOLE,
    "POST /api/alerts/{alert_id}/calls": CONSOLE,
    "POST /api/alerts/{alert_id}/calls/{call_id}/result": CONSOLE,
    "POST /api/alerts/{alert_id}/dispatch": CONSOLE,
    "POST /api/alerts/{alert_id}/safe": CONSOLE,
    "POST /api/alerts/{alert_id}/release": CONSOLE,
    "POST /api/alerts/{alert_id}/close": CONSOLE,
    "POST /api/alerts/{alert_id}/check-homes": CONSOLE,
    "POST /api/alerts/{alert_id}/assess": CONSOLE,
    "GET /api/alerts/{alert_id}/script": CONSOLE,
    "POST /api/alerts/{alert_id}/script": CONSOLE,
    "POST /api/alerts/{alert_id}/emergency": CONSOLE,
    "POST /api/alerts/{alert_id}/emergency/{emergency_id}": CONSOLE,
    "POST /api/alerts/{alert_id}/visits/{visit_id}": TEAM,
    "POST /api/alerts/{alert_id}/visits/{visit_id}/check-in": TEAM,
    "POST /api/alerts/{alert_id}/visits/{visit_id}/panic": TEAM,
    "GET /api/alerts/{alert_id}/responders": CONSOLE,
    "POST /api/alerts/{alert_id}/key-safe": CONSOLE,
    "POST /api/alerts/{alert_id}/keys": CONSOLE,
    "POST /api/alerts/{alert_id}/visits/{visit_id}/key-safe": RESPONDER,
    "POST /api/alerts/{alert_id}/agree": CONSOLE,
    "POST /api/alerts/{alert_id}/wrap-up": CONSOLE,
    "POST /api/alerts/{alert_id}/shelve": CONSOLE,
    "POST /api/alerts/{alert_id}/unshelve": CONSOLE,
    "POST /api/alerts/{alert_id}/review": SUPERVISING,
    "GET /api/responders": CONSOLE,
    "POST /api/responders/{username}/shift": SHIFTS,
    "POST /api/keys/{key_id}/back": CONSOLE,
    "GET /api/tasks": CONSOLE,
    "POST /api/tasks/{task_id}/done": CONSOLE,
    "GET /api/homes/{home_id}/timeline": RECORDS,
    "GET /api/people/{person_id}/contacts": RECORDS,
    "POST /api/people/{person_id}/contacts/{contact_id}/end": PLANNERS,
    "POST /api/people/{person_id}/contacts/{contact_id}/restore": PLANNERS,
}

# On whose pages the watchdog's troubles are shown: those who can do something about them.
HEAR_TROUBLES: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})

# Who finds the search at the top of each page.
SEARCH: Final = RECORDS.roles

# Whose open page is a screen on which an alert is seen: their claims hang on one (alerts/leases.py).
HAVE_SCREENS: Final = CONSOLE.roles

HOME_PAGE: Final[dict[Role, str]] = {
    Role.OPERATOR: "/console",
    Role.SUPERVISOR: "/console",
    Role.RESPONDER: "/responder",
    Role.CARER: "/carer",
    Role.COMMISSIONER: "/commissioning",
    Role.ADMIN: "/admin",
}

# What the top of each page leads to, for those who may go there.
NAVIGATION: Final = (
    ("/console", "Alerts"),
    ("/tasks", "Tasks"),
    ("/handover", "Handover"),
    ("/board", "Board"),
    ("/responders", "Response team"),
    ("/homes", "Homes"),
    ("/plans", "Plans to mend"),
    ("/on-call", "On call"),
    ("/messages", "Messages"),
    ("/performance", "Performance"),
    ("/quality", "Quality"),
    ("/priorities", "Priorities"),
    ("/responder", "Visits"),
    ("/carer", "Your page"),
    ("/commissioning", "Commissioning"),
    ("/episodes", "Episodes"),
    ("/admin", "Administration"),
)


def navigation(role: Role, demo: bool) -> list[tuple[str, str]]:
    """The pages that this role may go to. Messages are shown in the demo only, where none is really sent."""
    return [
        (path, name)
        for path, name in NAVIGATION
        if role in ACCESS[f"GET {path}"].roles and (demo or path != "/messages")
    ]
