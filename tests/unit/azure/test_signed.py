"""A 401 is answered with one more request that has a fresh token, and a second 401 is final."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from spotlake.azure.signed import send_signed
from spotlake.errors import AzureRefusedError, AzureThrottledError


class Tokens:
    """Numbers its tokens."""

    number = 1

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.number}"}

    def renew(self, refused: Mapping[str, str]) -> None:
        assert refused == self.headers()
        self.number += 1


class Client:
    """Refuses the first requests, and notes their tokens."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.tokens = list(errors), list[str]()

    def send(self, method: str, url: str, *, headers: Callable[[], Mapping[str, str]], **_: Any) -> str:
        self.tokens.append(headers()["Authorization"])
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def refused(status: int) -> AzureRefusedError:
    return AzureRefusedError("locations", "no", status=status)


def sent(client: Client) -> Any:
    anything: Any = client
    return send_signed(anything, Tokens(), "GET", "https://x")


def test_a_token_that_ended_early_costs_one_more_request() -> None:
    client = Client(refused(401))
    assert sent(client) == "answer"
    assert client.tokens == ["Bearer 1", "Bearer 2"]


@pytest.mark.parametrize(
    ("errors", "asked"),
    [((refused(401), refused(401)), 2), ((refused(403),), 1), ((AzureThrottledError("locations", "slow"),), 1)],
)
def test_a_second_refusal_and_any_other_error_is_final(errors: tuple[Exception, ...], asked: int) -> None:
    client = Client(*errors)
    with pytest.raises(type(errors[-1])):
        sent(client)
    assert len(client.tokens) == asked


def test_both_requests_are_the_one_that_was_asked_for() -> None:
    class Noting(Client):
        requests: ClassVar[list[Any]] = []

        def send(self, method: str, url: str, *, headers: Callable[[], Mapping[str, str]], **request: Any) -> str:
            self.requests.append((method, url, request))
            return super().send(method, url, headers=headers)

    client = Noting(refused(401))
    anything: Any = client
    answer: Any = send_signed(anything, Tokens(), "POST", "https://x/y", json={"a": 1}, timeout=7)
    assert answer == "answer"
    assert client.requests == [("POST", "https://x/y", {"json": {"a": 1}, "timeout": 7})] * 2
    assert client.tokens == ["Bearer 1", "Bearer 2"]
