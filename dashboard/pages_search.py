"""The search that is at hand on every page of the control room."""

from typing import Final

from fastapi import APIRouter, Request, Response

from dashboard import search_store
from dashboard.auth import GuardedRoute
from dashboard.parts import database, parts_of
from dashboard.searching import read

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

OF_EACH: Final = 10  # of each kind, at most


@router.get("/search")
async def search(request: Request) -> Response:
    """People, homes, contacts, telephone numbers, equipment and alerts that may be meant."""
    asked = read(request.query_params.get("q", ""))
    async with database(request) as (conn, now):
        found = await search_store.find(conn, asked, OF_EACH + 1)
    more = {kind for kind, records in found.items() if len(records) > OF_EACH}
    shown = {kind: records[:OF_EACH] for kind, records in found.items()}
    # Where a person is found, their home is found with them.
    seen = {person["home"] for person in shown["people"]}
    shown["homes"] = [home for home in shown["homes"] if home["home"] not in seen]
    context = {"search": asked, "found": shown, "more": more, "count": sum(map(len, shown.values())), "now": now}
    return parts_of(request).pages.render(request, "search.html", context=context)
