"""HTTP answers by script instead of a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

type Scripted = requests.Response | Exception


def made(status: int, body: bytes = b"{}", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body
    response.headers = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def wired(response: requests.Response) -> requests.Response:
    """The response as it comes from a connection: its body is still to be read."""
    response.raw = urllib3.HTTPResponse(BytesIO(response.content), preload_content=False)
    return response


def answered(content: Any, **headers: str) -> requests.Response:
    """200 with JSON."""
    return made(200, json.dumps(content).encode(), **headers)


class Script(BaseAdapter):
    """Answers in order. The last answer repeats."""

    def __init__(self, answers: Sequence[Scripted]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.sent: list[tuple[requests.PreparedRequest, Any]] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.sent.append((request, kwargs["timeout"]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        answer.request, answer.url = request, str(request.url)
        return wired(answer)

    def close(self) -> None:
        return


def scripted_session(*answers: Scripted) -> tuple[requests.Session, Script]:
    """A session that reaches nothing but the script."""
    session, script = requests.Session(), Script(answers)
    session.mount("https://", script)
    session.mount("http://", script)
    return session, script
