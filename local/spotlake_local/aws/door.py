"""The emulated AWS's door: who knocks without our keys, or from a web page, is nobody.

The emulator itself takes the key ``test``, any twelve digits and no key at all for its root user, and answers pages of
every origin. A live run keeps the Azure secret in it. So this door stands before it: each start has a root key of its
own, which only the starting process knows, and the emulator checks the signatures of all other keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator
from ministack.services import sts

from spotlake_local.aws.counting import RequestFile
from spotlake_local.aws.patches import need
from spotlake_local.web_pages import answer_refused, refusal

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Message, Receive, Send], Awaitable[None]]

HEALTH_PATH = "/_ministack/health"
_OWN_PATHS = ("/_ministack", "/_localstack", "/health")
_KEY = re.compile(r"Credential=([^/,\s]*)/|^AWS ([^:]*):")
_IN_QUERY = ("X-Amz-Credential", "AWSAccessKeyId")
_ROOT_LIKE = re.compile(r"(?:test|\d{12})?")


@dataclass(frozen=True)
class Door:
    """An ASGI application before the emulator's.

    Attributes:
        app: The emulator's application.
        host: The one value of ``Host`` that is answered, "127.0.0.1:PORT". A page that had a name resolve to this
            machine sends another.
        root_key: Access key of the root user.
        document: Returns what the account's issuer of tokens publishes at a path, for everybody; None: nothing.
        requests: Writes down the requests that are passed on; None: nobody asked for it.
    """

    app: App
    host: str
    root_key: str
    document: Callable[[str], Mapping[str, Any] | None] = lambda _: None
    requests: RequestFile | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request of ours on, and answer any other with 403."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif reason := self.refusal(scope):
            await answer_refused(send, reason)
        elif (document := self.document(scope["path"])) is not None:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(document).encode()})
        else:
            if self.requests is not None:
                self.requests.note(scope)
            await self.app(scope, receive, _without_cors(send))

    def refusal(self, scope: Message) -> str | None:
        """Why a request is refused; None: it is passed on."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if reason := refusal(headers, [self.host]):
            return reason
        if scope["path"].startswith(_OWN_PATHS):
            is_health = scope["path"] == HEALTH_PATH and scope["method"] == "GET"
            return None if is_health else "a path of the emulator's own"
        if scope["method"] == "GET" and self.document(scope["path"]) is not None:
            return None
        keys = _keys(headers, scope.get("query_string", b""))
        if not keys or any(_ROOT_LIKE.fullmatch(key) for key in keys):
            return "no access key, or one that anybody knows"
        return None


def only_root(root_key: str) -> None:
    """Make ``root_key`` the root user's key; the emulator's own parts keep the keys that the door lets nobody use."""
    patch = "a root key for each start"
    known = need(iam_evaluator, "is_root_access_key", patch)
    need(sts, "is_root_access_key", patch)

    def is_root(key: str) -> bool:
        return bool(known(key)) or compare_digest(str(key).encode(), root_key.encode())

    iam_evaluator.is_root_access_key = is_root
    sts.is_root_access_key = is_root


def _keys(headers: list[tuple[bytes, bytes]], query: bytes) -> list[str]:
    """Every access key that a request names, in its headers and in its query."""
    keys = []
    for name, value in headers:
        if name.lower() == b"authorization":
            found = _KEY.findall(value.decode("latin-1"))
            keys += [first or second for first, second in found] or [""]
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    for field in _IN_QUERY:
        keys += [value.partition("/")[0] for value in given.get(field, [])]
    return keys


def _without_cors(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if not bytes(pair[0]).lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return sent
