"""Keeps web pages away from the servers of this machine: a browser can reach 127.0.0.1 for any page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

# Browsers send these by themselves, and no page can leave them out.
_OF_BROWSERS = (b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")


async def answer_refused(send: Callable[[MutableMapping[str, Any]], Awaitable[None]], reason: str) -> None:
    """Answer an ASGI request with 403 and the reason."""
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"refused: {reason}\n".encode()})


def refusal(headers: Collection[tuple[bytes, bytes]], hosts: Collection[str]) -> str | None:
    """Why a request is refused; None: no browser has sent it.

    Args:
        headers: The request's headers, as ASGI gives them.
        hosts: Values of ``Host`` that are answered, "127.0.0.1:PORT". A page that had a name resolve to this machine
            sends another.
    """
    names = {name.lower() for name, _ in headers}
    found = [value.decode("latin-1") for name, value in headers if name.lower() == b"host"]
    if len(found) != 1 or found[0] not in hosts:
        return f"another Host than {' or '.join(hosts)}"
    if sent := [name.decode() for name in _OF_BROWSERS if name in names]:
        return f"{sent[0]}: this is no server for web pages"
    return None
