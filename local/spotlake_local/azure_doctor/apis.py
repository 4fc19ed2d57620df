"""Checks of the APIs: each subscription's roles, and one small call to each of the four."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from spotlake.azure.answers import json_of
from spotlake.azure.locations import API_VERSION, fetch_locations
from spotlake.azure.placement import Outcome, Question, ask
from spotlake.azure.resource_graph import GraphPages
from spotlake.azure.retail import PATH, narrow_filter
from spotlake.azure.signed import send_signed
from spotlake.clock import WallClock
from spotlake.errors import AzureError, AzureRefusedError, SpotlakeError
from spotlake.scores.quota import QuotaRules
from spotlake_local.aws_doctor.account import Verdict, passed, to_do
from spotlake_local.azure_doctor.target import Target

SCORES_ROLE, READER_ROLE = "Compute Recommendations Role", "Reader"
_SCORES_ACTION = "Microsoft.Compute/locations/placementScores/generate/action"
_READ_ACTION = "Microsoft.Resources/subscriptions/locations/read"
# Azure REST, Permissions - List, 2022-04-01: what the caller may do (read 2026-11).
_PERMISSIONS_VERSION = "2022-04-01"
_REGION, _SIZE = "koreacentral", "Standard_D2s_v3"
_AWAY = "try again in some minutes; https://azure.status.microsoft shows disturbances"


def resource_manager(target: Target) -> Verdict:
    """Whether Azure Resource Manager answers at all; a refusal is an answer."""
    url = f"{target.settings.azure_management_url}/subscriptions/{target.credentials.subscriptions[0]}"
    try:
        send_signed(target.client("resource manager"), target.tokens, "GET", url, params={"api-version": API_VERSION})
    except AzureRefusedError as error:
        if error.status == 401:
            return to_do(f"{error}: is the tenant the subscriptions' own? `az account list --query [].tenantId`")
    except AzureError as error:
        return to_do(f"{target.settings.azure_management_url} is away ({error}): {_AWAY}")
    return passed(f"{target.settings.azure_management_url} answers")


def roles(target: Target) -> Verdict:
    """Which subscriptions lack a role. The collectors set these aside, and continue with the others."""
    lacking = {one: found for one in target.credentials.subscriptions if (found := _lacking(target, one))}
    target.refused.update(lacking)
    if not lacking:
        return passed(f"{READER_ROLE} and {SCORES_ROLE} on every subscription")
    first, missing = next(iter(lacking.items()))
    commands = "; ".join(
        f'`az role assignment create --assignee {target.credentials.client_id} --role "{role}" '
        f"--scope /subscriptions/{first}`"
        for role in missing
    )
    more = f" (and {len(lacking) - 1} more like it: {', '.join(list(lacking)[1:])})" if len(lacking) > 1 else ""
    return to_do(f"subscription {first} lacks {' and '.join(missing)}{more}: {commands}")


def _lacking(target: Target, subscription: str) -> list[str]:
    """Names of the roles that a subscription lacks. Who may not even read its own permissions is no Reader."""
    base = f"{target.settings.azure_management_url}/subscriptions/{subscription}"
    url, version = f"{base}/providers/Microsoft.Authorization/permissions", _PERMISSIONS_VERSION
    try:
        answer = send_signed(target.client("permissions"), target.tokens, "GET", url, params={"api-version": version})
    except AzureRefusedError as error:
        if error.status not in (403, 404):
            raise
        return [READER_ROLE, SCORES_ROLE]
    listed = json_of("permissions", answer).get("value")
    entries = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    wanted = ((READER_ROLE, _READ_ACTION), (SCORES_ROLE, _SCORES_ACTION))
    return [role for role, action in wanted if not any(_allows(entry, action) for entry in entries)]


def _allows(entry: Mapping[str, Any], action: str) -> bool:
    return _fits(entry.get("actions"), action) and not _fits(entry.get("notActions"), action)


def _fits(patterns: object, action: str) -> bool:
    listed: Iterable[object] = patterns if isinstance(patterns, list) else ()
    return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in listed)


def zones(target: Target) -> Verdict:
    """Whether the subscriptions list locations and their zone numbers."""
    if not target.usable:
        return _after_roles()
    found = fetch_locations(
        target.client("locations"),
        target.settings.azure_management_url,
        tokens=target.tokens,
        subscriptions=target.usable[:1],
        now_at=WallClock().now(),
    )
    target.locations = found
    numbered = len(next(iter(found.zones.values()), {}))
    return passed(f"{len(found.routing)} locations, {numbered} of them with zones")


def placement_scores(target: Target) -> Verdict:
    """One call of one region and size. It costs one call of one route's quota."""
    if not target.usable:
        return _after_roles()
    location = (
        _REGION if target.locations is None or _REGION in target.locations.routing else target.locations.routing[0]
    )
    question = Question(
        subscription=target.usable[-1], location=location, regions=[location], instance_types=[_SIZE], desired_count=1
    )
    client, url = target.client("placement scores"), target.settings.azure_management_url
    answer = ask(client, url, target.tokens, question, may_retry=lambda: False)
    if answer.outcome is Outcome.QUOTA_EXHAUSTED:
        words = f"the quota of {location} is used up for this hour: others use it, or the collector has just run"
        return to_do(f"{words}; wait, and see -c quota_share_percent")
    if answer.outcome in (Outcome.SCORED, Outcome.INVALID_INSTANCE_TYPE):
        return passed(f"{location} answers; this took one call of its quota")
    return to_do(f"{answer.outcome.value}: {answer.error}: {_AWAY}")


def eviction_rates(target: Target) -> Verdict:
    """One query of Resource Graph."""
    if not target.usable:
        return _after_roles()
    pages = GraphPages(
        client=target.client("resource graph"),
        management_url=target.settings.azure_management_url,
        tokens=target.tokens,
        turn=lambda: 0.0,
    )
    row = next(pages.rows(_REGION), None)
    if row is None:
        return to_do(f"Resource Graph has no eviction rate of {_REGION}: is {READER_ROLE} assigned since a while?")
    return passed(f"{pages.total} sizes of {_REGION}")


def prices(target: Target) -> Verdict:
    """One page of the price list, which needs no sign-in."""
    url = target.settings.azure_retail_url
    params = {"$filter": narrow_filter(_REGION, [_SIZE], ondemand=True), "currencyCode": "'USD'"}
    try:
        body = json_of("retail prices", target.client("retail prices").send("GET", url + PATH, params=params))
    except SpotlakeError as error:
        return to_do(f"{url} is away ({error}): {_AWAY}")
    rows = body.get("Items")
    return passed(f"{url} answers: {len(rows) if isinstance(rows, list) else 0} rows of {_SIZE}")


def quota(target: Target) -> Verdict:
    """What the quota gives. Nobody is asked."""
    settings, number = target.settings, len(target.usable)
    rules = QuotaRules.of(
        quota_calls=settings.quota_calls,
        window_minutes=settings.quota_window_minutes,
        share_percent=settings.quota_share_percent,
    )
    routes = number * (len(target.locations.routing) if target.locations else 0)
    at_once = f", {rules.calls * routes:,} for {routes:,} routes" if routes else ""
    return passed(
        f"{rules.calls} calls for each subscription and location in {settings.quota_window_minutes} min{at_once}"
    )


def _after_roles() -> Verdict:
    return Verdict(passed=False, later=True, said="not looked at: roles come first")
