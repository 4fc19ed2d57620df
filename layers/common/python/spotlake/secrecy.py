"""Keeps secrets out of everything that is written: log lines, texts of errors, core dumps.

``keep_secret`` gets each secret, token and assertion when it comes into the process. ``scrubbed`` takes them out of a
text in every form that a library may have written: plain, quoted for JSON, URL-encoded, base64. It also takes out what
looks like a token or a named secret.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import urllib.parse

HIDDEN = "(hidden)"
_SHORTEST = 6  # characters; shorter texts stand in ordinary words
_MOST = 64  # secrets that are remembered, newest first: tokens are renewed every hour
_SHAPES = re.compile(
    r"(?P<bearer>\bBearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?P<named>\b(?:client_secret|client_assertion|access_token|refresh_token)\b[\"'\\]*\s*[=:]\s*[\"'\\]*)"
    r"[^\s\"'&,}\\]{4,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.IGNORECASE | re.DOTALL,
)

_lock = threading.Lock()
_known: dict[str, tuple[str, ...]] = {}


def keep_secret(text: str) -> None:
    """Hide this text from now on. The first one also forbids core dumps, which would hold it."""
    if len(text) < _SHORTEST:
        return
    with _lock:
        if not _known:
            _forbid_core_dumps()
        _known.pop(text, None)
        _known[text] = _forms(text)
        while len(_known) > _MOST:
            del _known[next(iter(_known))]


def scrubbed(text: str) -> str:
    """The text without any secret.

    >>> scrubbed("GET with Bearer abcdefghijklmnop failed")
    'GET with Bearer (hidden) failed'
    """
    for forms in list(_known.values()):
        for form in forms:
            text = text.replace(form, HIDDEN)
    return _SHAPES.sub(lambda found: f"{found['bearer'] or found['named'] or ''}{HIDDEN}", text)


def _forms(text: str) -> tuple[str, ...]:
    """The text as libraries may write it, longest first."""
    found = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    found |= {urllib.parse.quote(text), urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text)}
    # Base64 of a longer text holds the secret at one of three offsets; the ends depend on the neighbours.
    for offset in range(3):
        content = b"\0" * offset + text.encode()
        inner = base64.b64encode(content).decode()[-(-offset * 8 // 6) : len(content) * 8 // 6]
        if len(inner) >= _SHORTEST:
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(sorted(found, key=len, reverse=True))


def _forbid_core_dumps() -> None:
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def scrub_error(error: BaseException) -> None:
    """Take secrets out of an error that is about to leave the process, and out of those that caused it.

    The class stays, because it is the error's name in the state machine.
    """
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        here.args = tuple(scrubbed(one) if isinstance(one, str) else one for one in here.args)
        for name, value in list(vars(here).items()):
            if isinstance(value, str):
                with contextlib.suppress(AttributeError):
                    setattr(here, name, scrubbed(value))
        here = here.__cause__ or here.__context__
