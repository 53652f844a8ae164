"""Static files, and the API's description: both public, both served by ourselves alone."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from dashboard.auth import GuardedRoute
from dashboard.parts import parts_of
from telecare.errors import NotFound

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    """A static file. Its address changes with its content, so browsers may keep it."""
    path = parts_of(request).static.find(name)
    if path is None:
        raise NotFound("no such file")
    keep = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
    return FileResponse(path, headers={"Cache-Control": keep})


@router.get("/api/openapi.json")
async def openapi(request: Request) -> Response:
    """The API's description."""
    return JSONResponse(request.app.openapi())


@router.get("/api/docs")
async def docs(request: Request) -> Response:
    """The API's description for people."""
    described: dict[str, Any] = request.app.openapi()
    calls = [
        {"method": method.upper(), "path": path, **call}
        for path, methods in described["paths"].items()
        for method, call in methods.items()
    ]
    context = {"calls": calls, "schemas": described["components"]["schemas"], "info": described["info"]}
    return parts_of(request).pages.render(request, "docs.html", context=context)
