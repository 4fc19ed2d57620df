"""AWS by script: clients of boto3 whose requests and answers a test writes down, in the forms of AWS's own API model.

Botocore's Stubber checks each request against the model and against the script, and each answer against the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Self

import boto3
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber


@cache
def _client(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-west-2",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


class Stubbed:
    """A client of one service, and the script of its requests. All of the script has to be used up."""

    def __init__(self, service: str) -> None:
        self.client: Any = _client(service)
        self._stub = Stubber(self.client)

    def answers(self, operation: str, asked: dict[str, Any], answer: dict[str, Any]) -> Self:
        """The next request is this operation with exactly these parameters."""
        self._stub.add_response(operation, answer, asked)
        return self

    def refuses(self, operation: str, asked: dict[str, Any], code: str) -> Self:
        """As ``answers``, with an error of the service."""
        self._stub.add_client_error(operation, code, "words", expected_params=asked)
        return self

    def __enter__(self) -> Self:
        self._stub.activate()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stub.deactivate()
        if kind is None:
            self._stub.assert_no_pending_responses()


@contextmanager
def unreachable(service: str) -> Iterator[Any]:
    """A client that reaches no endpoint: each request ends in botocore's ``EndpointConnectionError``."""
    client = _client(service)

    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://aws.example")

    client.meta.events.register("before-call", fail)
    try:
        yield client
    finally:
        client.meta.events.unregister("before-call", fail)
