"""The HTTP API of help for a person: the need, emergency services, visits, and what ends an alert."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from alerts import script_steps
from dashboard import models, models_script
from dashboard import steps_help as steps
from dashboard.api import CONFLICT, PROBLEM, AlertNumber, register_id, take
from dashboard.auth import GuardedRoute
from dashboard.parts import database
from dashboard.plain import plain
from dashboard.steps import StopAsking
from telecare.errors import NotFound

router = APIRouter(
    prefix="/api/alerts/{alert_id}", route_class=GuardedRoute, responses=PROBLEM | CONFLICT, tags=["help"]
)


@router.post("/stop-asking", response_model=models.ListedAlert, summary="Ask no contact by itself any more")
async def stop_asking(request: Request, number: AlertNumber, body: StopAsking) -> Response:
    """No new round, and nobody who can be asked later. Who was asked may still answer."""
    return await take(request, number, body)


@router.post("/assess", response_model=models.ListedAlert, summary="What the need is")
async def assess(request: Request, number: AlertNumber, body: steps.Assess) -> Response:
    """What it seems to be, whether the person is on the floor, red flags, and what is decided."""
    return await take(request, number, body)


@router.get("/script", response_model=models_script.Script, summary="The script beside the case")
async def script(request: Request, number: AlertNumber) -> Response:
    """The open question, what was answered, and what follows from it. An incident has none (404)."""
    async with database(request) as (conn, _):
        found = await script_steps.record(conn, number)
    if found is None:
        raise NotFound("an incident has no script")
    return JSONResponse(plain(found))


@router.post("/script", response_model=models_script.Script, summary="Answer the script")
async def answer_script(request: Request, number: AlertNumber, body: steps.ScriptAnswer) -> Response:
    """An answer to any of its questions. Of a question that is answered twice the newest answer stands."""
    await take(request, number, body)
    return await script(request, number)


@router.post("/emergency", response_model=models.ListedAlert, summary="An emergency service was called")
async def call_service(request: Request, number: AlertNumber, body: steps.CallService) -> Response:
    """Its clock runs until it came or was stood down; the alert cannot be closed before."""
    return await take(request, number, body)


@router.post("/emergency/{emergency_id}", response_model=models.ListedAlert, summary="What is heard of a service")
async def service_news(request: Request, number: AlertNumber, emergency_id: str, body: steps.ServiceNews) -> Response:
    """That it arrived, when it comes, or how it ended."""
    return await take(request, number, body.model_copy(update={"call": register_id(emergency_id, "call")}))


@router.post("/visits/{visit_id}", response_model=models.ListedAlert, summary="The next step of a visit")
async def visit_step(request: Request, number: AlertNumber, visit_id: str, body: steps.VisitStep) -> Response:
    """From who has the alert, or from who goes."""
    return await take(request, number, body.model_copy(update={"visit": register_id(visit_id, "visit")}))


@router.post("/visits/{visit_id}/check-in", response_model=models.ListedAlert, summary="The responder is well")
async def check_in(request: Request, number: AlertNumber, visit_id: str, body: steps.CheckIn) -> Response:
    """The check-in clock begins anew."""
    return await take(request, number, body.model_copy(update={"visit": register_id(visit_id, "visit")}))


@router.post("/visits/{visit_id}/panic", response_model=models.ListedAlert, summary="The responder calls for help")
async def panic(request: Request, number: AlertNumber, visit_id: str, body: steps.Panic) -> Response:
    """The alert is an emergency now."""
    return await take(request, number, body.model_copy(update={"visit": register_id(visit_id, "visit")}))


@router.post("/agree", response_model=models.ListedAlert, summary="Agree to close without contact")
async def agree(request: Request, number: AlertNumber, body: steps.Agree) -> Response:
    """From a second person, who says why. Another alarm undoes it."""
    return await take(request, number, body)


@router.post("/wrap-up", response_model=models.ListedAlert, summary="Write an alert up")
async def wrap_up(request: Request, number: AlertNumber, body: steps.WrapUp) -> Response:
    """Before it is closed, once the person is safe."""
    return await take(request, number, body)


@router.post("/review", response_model=models.ListedAlert, summary="Review a closed alert")
async def review(request: Request, number: AlertNumber, body: steps.Review) -> Response:
    """By a supervisor, once, and not one's own."""
    return await take(request, number, body)


@router.post("/shelve", response_model=models.ListedAlert, summary="Put a technical alert aside")
async def shelve(request: Request, number: AlertNumber, body: steps.Shelve) -> Response:
    """For 1 to 12 hours, with a reason. What needs a person is never put aside."""
    return await take(request, number, body)


@router.post("/unshelve", response_model=models.ListedAlert, summary="Put it back before its time")
async def unshelve(request: Request, number: AlertNumber, body: steps.Unshelve) -> Response:
    """Anyone may."""
    return await take(request, number, body)
