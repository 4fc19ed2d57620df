"""Paths in any casing, which ARM and the price list do not mind, and the headers of ARM's answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WORDS = (
    "subscriptions providers Microsoft.Compute Microsoft.ResourceGraph locations placementScores spot generate "
    "resources usages skus api retail prices Microsoft.Authorization permissions"
)
_SPELT = {word.lower(): word for word in _WORDS.split()}


class AnyCasing:
    """Spells the known words of a path as the routes do; names of tenants, subscriptions and locations stay."""

    def __init__(self, app: ASGIApp) -> None:
        """Around the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            scope["path"] = spelt(scope["path"])
        await self.app(scope, receive, send)


class Dated:
    """Adds the header ``Date`` by the simulator's clock."""

    def __init__(self, app: ASGIApp, now: Callable[[], datetime]) -> None:
        """Around the application."""
        self.app, self.now = app, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self.now(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await self.app(scope, receive, dated)


def spelt(path: str) -> str:
    """A path in the routes' own spelling.

    >>> spelt("/SUBSCRIPTIONS/S1/Locations"), spelt("/Api/Retail/Prices")
    ('/subscriptions/S1/locations', '/api/retail/prices')
    """
    return "/".join(_SPELT.get(part.lower(), part) for part in path.split("/"))


def location_of(request: Request) -> str:
    """The routing location of a path: ARM does not mind casing and blanks. Names that it refuses stay as given."""
    given: str = request.path_params["location"]
    squeezed = "".join(given.lower().split())
    return squeezed if squeezed.isalnum() else given


def with_arm_headers(request: Request, response: Response) -> Response:
    """An answer with the headers that ARM puts on every one."""
    request_id = str(uuid.uuid4())
    response.headers["x-ms-routing-request-id"] = f"KOREACENTRAL:{datetime.now(UTC):%Y%m%dT%H%M%SZ}:{request_id}"
    response.headers["x-ms-ratelimit-remaining-subscription-reads"] = "249"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    response.headers["x-ms-request-id"] = request_id
    response.headers["x-ms-correlation-request-id"] = request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.headers.get("x-ms-return-client-request-id") == "true":
        response.headers["x-ms-client-request-id"] = request.headers.get("x-ms-client-request-id", "")
    return response
