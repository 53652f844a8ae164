"""The dashboard as an ASGI application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from alerts.channels import vapid
from dashboard import (
    api,
    api_contacts,
    api_help,
    api_response,
    assets,
    auth,
    health,
    hooks,
    hooks_push,
    pages_board,
    pages_carers,
    pages_console,
    pages_contacts,
    pages_devices,
    pages_escalation,
    pages_handover,
    pages_holidays,
    pages_keys,
    pages_on_call,
    pages_performance,
    pages_plans,
    pages_priorities,
    pages_quality,
    pages_records,
    pages_responder,
    pages_responders,
    pages_roles,
    pages_search,
    pages_states,
    pages_tasks,
    pages_timeline,
    pages_visit,
    problems,
)
from dashboard.consoles import Consoles
from dashboard.headers import SecurityHeaders
from dashboard.login_limit import LoginLimit
from dashboard.outcomes import api as reports_api
from dashboard.outcomes import pages as outcomes
from dashboard.outcomes import pages_episodes, pages_import
from dashboard.parts import Parts
from dashboard.rows import Rows
from dashboard.static import NotFetched, StaticFiles
from dashboard.stream import Feed
from dashboard.tasks_due import TasksDue
from dashboard.troubles import Shouts
from dashboard.views import Pages
from telecare.db import open_pool
from telecare.ending import end_tasks
from telecare.settings import Settings

log = logging.getLogger(__name__)

_POOL: Final = 8
_LIVE_POOL: Final = 3
_PASSWORDS_AT_A_TIME: Final = 2


def create_app(settings: Settings) -> FastAPI:
    """The application. It opens the database when it is started.

    Raises:
        CannotStart: the key with which messages reach browsers is none.
    """
    vapid.public_key(settings)
    app = FastAPI(
        title="Telecare",
        version=version("telecare"),
        description="Programs send `Authorization: Bearer TOKEN` (`telecare user token NAME`).",
        lifespan=lambda running: _run(running, settings),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    pages = (
        pages_console,
        pages_records,
        pages_search,
        pages_plans,
        pages_states,
        pages_escalation,
        pages_on_call,
        pages_contacts,
        pages_holidays,
        pages_priorities,
        pages_performance,
        pages_carers,
        pages_devices,
        pages_tasks,
        pages_handover,
        pages_board,
        pages_quality,
        pages_timeline,
        pages_responders,
        pages_responder,
        pages_visit,  # after the address of a key safe's code
        pages_keys,
        pages_roles,
    )
    for module in (assets, auth, health, api, api_help, api_contacts, api_response, hooks, hooks_push, *pages):
        app.router.routes.extend(module.router.routes)
    # The import's pages before those of an episode, whose address takes any word.
    for module in (reports_api, outcomes, pages_import, pages_episodes):
        app.router.routes.extend(module.router.routes)
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    return app


@asynccontextmanager
async def _run(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    static = StaticFiles(settings.data_dir)
    async with (
        open_pool(settings.database, name="dashboard", size=_POOL) as pool,
        # Of its own: a screen's next event never waits for somebody's report.
        open_pool(settings.database, name="dashboard-live", size=_LIVE_POOL) as live,
    ):
        shouts = Shouts(pool, settings)
        consoles, tasks_due = Consoles(live, settings.console_beat_s), TasksDue(pool)
        pages = Pages(settings, static, lambda: shouts.now, lambda: tasks_due.now, lambda: shouts.strays)
        rows = Rows(pages.part)
        feed = Feed(live, settings.database, settings.beat_s, shouts.as_data, rows.draw)
        await feed.start()
        app.state.parts = Parts(
            settings=settings,
            static=static,
            pages=pages,
            rows=rows,
            logins=LoginLimit(settings.login_attempts),
            pool=pool,
            feed=feed,
            shouts=shouts,
            consoles=consoles,
            tasks_due=tasks_due,
            hashing=asyncio.Semaphore(_PASSWORDS_AT_A_TIME),
        )
        app.state.figures = health.Figures()
        background = [
            asyncio.create_task(feed.run(), name="live feed"),
            asyncio.create_task(shouts.run(), name="troubles"),
            asyncio.create_task(consoles.run(), name="consoles"),
            asyncio.create_task(tasks_due.run(), name="tasks due"),
        ]
        if not static.is_complete:
            background.append(asyncio.create_task(_fetch(static), name="fetch static files"))
        try:
            yield
        finally:
            feed.close()
            await end_tasks(background)


async def _fetch(static: StaticFiles) -> None:
    try:
        folder = await static.fetch()
    except NotFetched as problem:
        log.warning("the pages come plainly styled: %s; `telecare static` tries again", problem)
    else:
        log.info("the design system's files are in %s", folder)
