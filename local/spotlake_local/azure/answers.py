"""Answers, refusals, and counts of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response


class RefusalError(Exception):
    """A request that is answered with an error. It is counted by its reason."""

    def __init__(
        self,
        status: int,
        reason: str,
        body: Mapping[str, Any] | str,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str = "",
    ) -> None:
        """``body`` is JSON, or text as it is."""
        super().__init__(reason)
        self.status, self.reason, self.body = status, reason, body
        self.headers = dict(headers or {})
        self.content_type = content_type or ("text/plain" if isinstance(body, str) else "application/json")

    def response(self) -> Response:
        """The response to send."""
        body = self.body if isinstance(self.body, str) else orjson.dumps(self.body)
        return Response(body, self.status, self.headers, self.content_type)


def arm_refusal(
    status: int, code: str, message: str, *, target: str = "", headers: Mapping[str, str] | None = None
) -> RefusalError:
    """A refusal in ARM's form. The code is the reason."""
    error = {"code": code, "message": message} | ({"target": target} if target else {})
    return RefusalError(status, code, {"error": error}, headers=headers)


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, dict(headers or {}), "application/json")


@dataclass
class Account:
    """Counts of answers since the last reset.

    Attributes:
        answers: Number of answers by API and status ("sps 200").
        refused: Number of refusals by API and reason ("sps InvalidParameter").
        calls_by_pair: Number of placement-score calls by route ("subscription location").
    """

    answers: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    calls_by_pair: Counter[str] = field(default_factory=Counter)

    def count(self, api: str, status: int, reason: str = "") -> None:
        """Count one answer."""
        self.answers[f"{api} {status}"] += 1
        if reason:
            self.refused[f"{api} {reason}"] += 1

    def clear(self) -> None:
        """Set all counts to 0."""
        self.answers.clear()
        self.refused.clear()
        self.calls_by_pair.clear()
