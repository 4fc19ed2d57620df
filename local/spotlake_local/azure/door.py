"""The simulated Azure's door: web pages are refused, and only who started the simulator may control it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from hmac import compare_digest

from starlette.types import ASGIApp, Receive, Scope, Send

from spotlake_local.web_pages import answer_refused, refusal

CONTROL_PREFIX = "/_control"
TOKEN_HEADER = "x-control-token"  # noqa: S105 - the name of a header


@dataclass(frozen=True)
class AzureDoor:
    """An ASGI application before the simulator's.

    Attributes:
        app: The simulator's application.
        hosts: Values of ``Host`` that are answered.
        control_token: What a request below ``/_control`` must have in ``TOKEN_HEADER``.
    """

    app: ASGIApp
    hosts: Collection[str]
    control_token: str = field(repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 403."""
        reason = self._refusal(scope) if scope["type"] == "http" else None
        if reason is None:
            await self.app(scope, receive, send)
            return
        await answer_refused(send, reason)

    def _refusal(self, scope: Scope) -> str | None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        reason = refusal(headers, self.hosts)
        if reason is None and str(scope["path"]).lower().startswith(CONTROL_PREFIX):
            given = b"".join(value for name, value in headers if name.lower() == TOKEN_HEADER.encode())
            if not compare_digest(given, self.control_token.encode()):
                return f"{CONTROL_PREFIX} is for the process that started the simulator"
        return reason
