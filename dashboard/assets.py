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


@router.get("/push-worker.js")
async def push_worker(request: Request) -> Response:
    """The script that shows messages in a carer's browser, at the root: it may then serve the carer's page."""
    path = parts_of(request).static.find("push-worker.js")
    assert path is not None
    return FileResponse(path, headers={"Cache-Control": "no-cache"})


@router.get("/responder-worker.js")
async def responder_worker(request: Request) -> Response:
    """The script that keeps a responder's pages for reading without signal, at the root: it may then serve them."""
    path = parts_of(request).static.find("responder-worker.js")
    assert path is not None
    return FileResponse(path, headers={"Cache-Control": "no-cache"})


@router.get("/manifest.webmanifest")
async def manifest(request: Request) -> Response:
    """What a carer's page is called on a home screen (on an iPhone, only from there can it ring)."""
    return _manifest(request, "/carer", "/")


@router.get("/responder.webmanifest")
async def responder_manifest(request: Request) -> Response:
    """What a responder's pages are called on a home screen."""
    return _manifest(request, "/responder", "/responder", ": visits")


def _manifest(request: Request, start: str, scope: str, more: str = "") -> Response:
    parts = parts_of(request)
    icons = [
        {"src": parts.static.url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
        for size in (192, 512)
    ]
    described = {
        "id": start, "name": parts.settings.service_name + more, "short_name": parts.settings.service_name,
        "start_url": start, "scope": scope, "display": "standalone", "lang": "en-GB",
        "background_color": "#f3f4f5", "theme_color": "#12436d", "icons": icons,
    }  # fmt: skip
    return JSONResponse(described, headers={"Cache-Control": "no-cache"}, media_type="application/manifest+json")


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
