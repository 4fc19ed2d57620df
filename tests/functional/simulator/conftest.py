from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import azure, azure_process

__all__ = ["azure", "azure_process"]

NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SCOPE = "https://management.azure.com/.default"


@dataclass
class Caller:
    """Somebody who speaks HTTP to the simulated Azure, without our own clients."""

    azure: SimulatedAzure

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.azure.set_clock(NOW_AT)
        self.token = ""

    @property
    def subscription(self) -> str:
        return self.azure.subscriptions[0]

    def sign_in(self, *, tenant: str = "", **changes: Any) -> requests.Response:
        """The token endpoint; None leaves a field out."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.azure.client_id,
            "client_secret": self.azure.client_secret,
            "scope": SCOPE,
            **changes,
        }
        url = f"{self.azure.authority_url}/{tenant or self.azure.tenant_id}/oauth2/v2.0/token"
        sent = {name: value for name, value in fields.items() if value is not None}
        return self.session.post(url, data=sent, verify=self.azure.ca_file, timeout=10)

    def headers(self) -> dict[str, str]:
        if not self.token:
            self.token = self.sign_in().json()["access_token"]
        return {"Authorization": f"Bearer {self.token}"}

    def arm(self, method: str, path: str, *, version: str | None, **more: Any) -> requests.Response:
        params = {"api-version": version} if version is not None else {}
        headers = {**self.headers(), **more.pop("headers", {})}
        return self.session.request(
            method, self.azure.url + path, params=params, timeout=10, **{"headers": headers, **more}
        )

    def scores(
        self,
        *,
        location: str = "koreacentral",
        subscription: str = "",
        version: str | None = "2025-06-05",
        method: str = "POST",
        headers: dict[str, str] | None = None,
        body: Any = None,
        **fields: Any,
    ) -> requests.Response:
        """A placement-score call of one region and size, with changes."""
        path = f"/subscriptions/{subscription or self.subscription}/providers/Microsoft.Compute/locations/{location}"
        asked = {
            "desiredLocations": ["koreacentral"],
            "desiredSizes": [{"sku": "Standard_D2s_v3"}],
            "desiredCount": 1,
            "availabilityZones": True,
            **fields,
        }
        json = asked if body is None else body
        return self.arm(
            method, f"{path}/placementScores/spot/generate", version=version, json=json, headers=headers or {}
        )

    def graph(self, query: str, *, version: str = "2024-04-01", **more: Any) -> requests.Response:
        """A Resource Graph query; ``options`` and other keys of the body as given."""
        path = "/providers/Microsoft.ResourceGraph/resources"
        return self.arm("POST", path, version=version, json={"query": query, **more})

    def prices(self, text: str | None = None, **params: str) -> requests.Response:
        """The price list, by a filter; nobody signs in."""
        asked = {**({"$filter": text} if text is not None else {}), **params}
        return self.session.get(f"{self.azure.url}/api/retail/prices", params=asked, timeout=30)


@pytest.fixture
def caller(azure: SimulatedAzure) -> Iterator[Caller]:
    made = Caller(azure)
    yield made
    made.session.close()


def error_of(response: requests.Response) -> tuple[int, str, str]:
    """Status, code and message of an ARM error."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]
