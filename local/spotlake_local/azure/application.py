"""The routes of the simulated Azure, and its answers to paths that are none."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spotlake_local.azure import retail
from spotlake_local.azure.answers import arm_refusal
from spotlake_local.azure.control import Control
from spotlake_local.azure.faults import DroppedConnectionError
from spotlake_local.azure.lists import Lists
from spotlake_local.azure.paths import AnyCasing, Dated
from spotlake_local.azure.server import AzureSimulator


def application(simulator: AzureSimulator) -> Starlette:
    """The ASGI application of a simulator."""
    arm = "/subscriptions/{subscription}"
    scores = arm + "/providers/Microsoft.Compute/locations/{location}/placementScores/spot"
    routes = [
        Route("/{tenant}/v2.0/.well-known/openid-configuration", simulator.discovery),
        Route("/{tenant}/oauth2/v2.0/token", simulator.token, methods=["POST"]),
        *Lists(simulator).routes(arm),
        Route(scores, simulator.score_metadata),
        Route(scores + "/generate", simulator.scores, methods=["POST"]),
        Route("/providers/Microsoft.ResourceGraph/resources", simulator.resources, methods=["POST"]),
        Route(retail.PATH, simulator.retail_prices),
        *Control(simulator).routes(),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Dated, now=simulator.now), Middleware(AnyCasing)])
    app.add_exception_handler(DroppedConnectionError, _drop)
    app.add_exception_handler(HTTPException, _no_such_thing)
    return app


async def _drop(request: Request, error: Exception) -> Response:
    """Close the connection, by a response whose body never comes."""
    del request, error
    return Response(b"", 200, {"Content-Length": "1000", "Connection": "close"})


async def _no_such_thing(request: Request, error: Exception) -> Response:
    """An unknown path (404) or method (405)."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        text = f"The requested resource does not support http method '{request.method}'."
        return arm_refusal(405, "MethodNotAllowed", text).response()
    text = f"The resource '{request.url.path}' could not be found."
    return arm_refusal(404, "ResourceNotFound", text).response()
