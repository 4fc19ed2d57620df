"""The locations a placement-score call can be routed through, and each subscription's zone numbers.

``GET /subscriptions/{id}/locations?api-version=2022-12-01`` (Azure REST, subscriptions - list locations;
read 2026-11). Learnt once a day and kept in the state, so that no run has to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypedDict

from spotlake.azure.http import HttpClient, json_of
from spotlake.errors import AzureError, UntrustedAnswerError
from spotlake.names import is_collected_region, region_key
from spotlake.scores.geography import Locations, RegionZones
from spotlake.scores.zones import subscription_digest

API = "locations"
API_VERSION = "2022-12-01"
_THREADS = 8


class LocationEntry(TypedDict):
    """The fields of a listed location that are read; all but the name are as Azure served them."""

    name: str
    type: object
    metadata: object
    availabilityZoneMappings: object


def fetch_locations(
    client: HttpClient,
    management_url: str,
    *,
    headers: Callable[[], Mapping[str, str]],
    subscriptions: Sequence[str],
    now_at: datetime,
    previous: Locations | None = None,
) -> Locations:
    """Ask every subscription; what one of them does not answer stays as ``previous`` has it.

    Args:
        client: For this API ("locations").
        management_url: ``https://management.azure.com``.
        headers: The token source's.
        subscriptions: Ids, the reference first.
        now_at: Becomes ``fetched_at``.
        previous: The last known, if any.

    Raises:
        AzureError: No subscription answered, or the reference did not and nothing is known of it.
        SignInError, SignInUnavailableError: As the token source raises them.
    """
    answers, errors = _ask_all(client, management_url, headers, subscriptions)
    if not answers:
        raise next(iter(errors.values()))
    zones = {digest: dict(known) for digest, known in previous.zones.items()} if previous else {}
    zones |= {subscription_digest(name): _zones_of(listed) for name, listed in answers.items()}
    reference = subscriptions[0]
    if reference in answers:
        routing = _routing_of(answers[reference])
    elif previous is not None:
        routing = previous.routing
    else:
        raise errors[reference]
    wanted = {subscription_digest(name) for name in subscriptions}
    return Locations(
        fetched_at=now_at,
        routing=routing,
        zones={digest: known for digest, known in zones.items() if digest in wanted},
        failed={subscription_digest(name): str(error) for name, error in errors.items()},
    )


def _ask_all(
    client: HttpClient,
    management_url: str,
    headers: Callable[[], Mapping[str, str]],
    subscriptions: Sequence[str],
) -> tuple[dict[str, list[LocationEntry]], dict[str, AzureError]]:
    """What the subscriptions answered, and what those that did not answer raised; both by subscription id."""

    def ask(subscription: str) -> list[LocationEntry] | AzureError:
        try:
            return _list_locations(client, management_url, headers, subscription)
        except AzureError as error:
            return error

    headers()  # what keeps us from signing in keeps us from every subscription
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        found = dict(zip(subscriptions, pool.map(ask, subscriptions), strict=True))
    answers = {name: answer for name, answer in found.items() if not isinstance(answer, AzureError)}
    errors = {name: answer for name, answer in found.items() if isinstance(answer, AzureError)}
    return answers, errors


def _list_locations(
    client: HttpClient, management_url: str, headers: Callable[[], Mapping[str, str]], subscription: str
) -> list[LocationEntry]:
    response = client.send(
        "GET",
        f"{management_url}/subscriptions/{subscription}/locations",
        params={"api-version": API_VERSION},
        headers=headers,
    )
    listed = json_of(API, response).get("value")
    if not isinstance(listed, list) or not listed:
        raise UntrustedAnswerError(API, "the answer lists no location", status=response.status_code)
    return [
        {
            "name": region_key(entry["name"]),
            "type": entry.get("type", "Region"),
            "metadata": entry.get("metadata"),
            "availabilityZoneMappings": entry.get("availabilityZoneMappings"),
        }
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    ]


def _routing_of(listed: list[LocationEntry]) -> tuple[str, ...]:
    """Physical locations only: the list also has logical ones ("asia"), edge zones and stages."""
    return tuple(sorted({entry["name"] for entry in listed if _is_physical(entry)}))


def _is_physical(entry: LocationEntry) -> bool:
    metadata = entry["metadata"]
    kind = metadata.get("regionType") if isinstance(metadata, dict) else None
    is_region = str(entry["type"]).lower() == "region"
    return is_region and str(kind).lower() == "physical" and is_collected_region(entry["name"])


def _zones_of(listed: list[LocationEntry]) -> RegionZones:
    """Mappings that name both zones; every property of one is optional in Azure's own model."""
    found: RegionZones = {}
    for entry in listed:
        mappings = entry["availabilityZoneMappings"]
        zones = {
            str(one["logicalZone"]): str(one["physicalZone"])
            for one in (mappings if isinstance(mappings, list) else [])
            if isinstance(one, dict) and one.get("logicalZone") and one.get("physicalZone")
        }
        if zones:
            found[entry["name"]] = zones
    return found
