"""Asks for the routing locations of placement-score calls, and for each subscription's zone numbers.

``GET /subscriptions/{id}/locations?api-version=2022-12-01`` (Azure REST, subscriptions - list locations;
read 2026-11). The answers are kept in the state for a day, so that few runs have to ask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypedDict

from spotlake.azure.answers import json_of
from spotlake.azure.http import HttpClient
from spotlake.azure.signed import Tokens, send_signed
from spotlake.errors import AzureError, UntrustedAnswerError
from spotlake.models import ZONE_NUMBERS
from spotlake.names import is_collected_region, printable, region_key
from spotlake.scores.geography import Locations, RegionZones
from spotlake.scores.zones import subscription_digest
from spotlake.sizes.geography import Geography

API = "locations"
API_VERSION = "2022-12-01"
_THREADS = 8
_BUILDING = re.compile(r"[a-z0-9_-]{1,80}")  # as "koreacentral-az2", in lower case
_LONGEST_TEXT = 60  # of a geography's name


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
    tokens: Tokens,
    subscriptions: Sequence[str],
    now_at: datetime,
    previous: Locations | None = None,
) -> Locations:
    """Ask every subscription. A subscription that does not answer keeps its values in ``previous``.

    Args:
        client: HTTP client for this API ("locations").
        management_url: ``https://management.azure.com``.
        tokens: Sign-in.
        subscriptions: Ids of the subscriptions, the reference first.
        now_at: Present time; becomes ``fetched_at``.
        previous: The last known answers, if any.

    Raises:
        AzureError: No subscription answered, or the reference did not answer and has no known values.
        SignInError, SignInUnavailableError: As the token source raises them.
    """
    answers, errors = _ask_all(client, management_url, tokens, subscriptions)
    if not answers:
        raise next(iter(errors.values()))
    zones = {digest: dict(known) for digest, known in previous.zones.items()} if previous else {}
    geographies = dict(previous.geographies) if previous else {}
    for listed in answers.values():
        geographies |= _geographies_of(listed)
    for name, listed in answers.items():  # a region whose zones an answer leaves out keeps its last known zones
        digest = subscription_digest(name)
        zones[digest] = {**zones.get(digest, {}), **_zones_of(listed)}
    reference = subscriptions[0]
    if reference in answers:
        routing = _routing_of(answers[reference])
    elif previous is not None:
        routing = previous.routing
    else:
        raise errors[reference]
    chosen = (previous.reference if previous else "") or subscription_digest(reference)
    wanted = {chosen, *map(subscription_digest, subscriptions)}  # zones keep their numbers though the list changes
    return Locations(
        fetched_at=now_at,
        routing=routing,
        reference=chosen,
        zones={digest: known for digest, known in zones.items() if digest in wanted},
        failed={subscription_digest(name): str(error) for name, error in errors.items()},
        geographies=geographies,
    )


def _ask_all(
    client: HttpClient,
    management_url: str,
    tokens: Tokens,
    subscriptions: Sequence[str],
) -> tuple[dict[str, list[LocationEntry]], dict[str, AzureError]]:
    """What the subscriptions answered, and what those that did not answer raised; both by subscription id."""

    def ask(subscription: str) -> list[LocationEntry] | AzureError:
        try:
            return _list_locations(client, management_url, tokens, subscription)
        except AzureError as error:
            return error

    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        found = dict(zip(subscriptions, pool.map(ask, subscriptions), strict=True))
    answers = {name: answer for name, answer in found.items() if not isinstance(answer, AzureError)}
    errors = {name: answer for name, answer in found.items() if isinstance(answer, AzureError)}
    return answers, errors


def _list_locations(client: HttpClient, management_url: str, tokens: Tokens, subscription: str) -> list[LocationEntry]:
    url = f"{management_url}/subscriptions/{subscription}/locations"
    response = send_signed(client, tokens, "GET", url, params={"api-version": API_VERSION})
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
    """Names of the physical locations. The list also has logical locations ("asia"), edge zones and stages."""
    return tuple(sorted({entry["name"] for entry in listed if _is_physical(entry)}))


def _is_physical(entry: LocationEntry) -> bool:
    metadata = entry["metadata"]
    kind = metadata.get("regionType") if isinstance(metadata, dict) else None
    is_region = str(entry["type"]).lower() == "region"
    return is_region and str(kind).lower() == "physical" and is_collected_region(entry["name"])


def _geographies_of(listed: list[LocationEntry]) -> dict[str, Geography]:
    """Where the public regions are. An entry without both texts says nothing, and texts of others are cut short."""
    found = {}
    for entry in listed:
        metadata = entry["metadata"]
        if not isinstance(metadata, dict) or not is_collected_region(entry["name"]):
            continue
        texts = [metadata.get(name) for name in ("geography", "geographyGroup")]
        if all(isinstance(text, str) and text.strip() for text in texts):
            found[entry["name"]] = Geography(*(printable(str(text)).strip()[:_LONGEST_TEXT] for text in texts))
    return found


def _zones_of(listed: list[LocationEntry]) -> RegionZones:
    """Mappings that name both zones in readable words. In Azure's model every property of a mapping is optional.

    Buildings are compared with those of other subscriptions and days, so they are spelt in lower case.
    """
    found: RegionZones = {}
    for entry in listed:
        mappings = entry["availabilityZoneMappings"]
        zones = {
            str(one["logicalZone"]): building
            for one in (mappings if isinstance(mappings, list) else [])
            if isinstance(one, dict)
            and str(one.get("logicalZone")) in ZONE_NUMBERS
            and _BUILDING.fullmatch(building := str(one.get("physicalZone") or "").strip().lower())
        }
        if zones:
            found[entry["name"]] = zones
    return found
