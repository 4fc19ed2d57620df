"""Asks which sizes a region has, what they have, and what the subscription may not use.

``GET /subscriptions/{id}/providers/Microsoft.Compute/skus?api-version=2021-07-01&$filter=location eq '{region}'``
(Learn, "Resource Skus - List", read 2026-11). The location is the only filter. Without it the answer had 82 MB and took
110 s (azure-cli#23450, 2022), so each region is asked for itself. docs/sizes.md has the facts and their sources.

No answer is believed further than its form allows: a row that cannot be read is left out, counted and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from spotlake.azure.answers import json_of
from spotlake.azure.http import HttpClient
from spotlake.azure.signed import Tokens, send_signed
from spotlake.errors import UntrustedAnswerError
from spotlake.names import join_key, region_key
from spotlake.sizes.facts import Offer, SizeFacts, Source
from spotlake.sizes.naming import read_name

API = "resource skus"
API_VERSION = "2021-07-01"
MOST_NAMED = 20
_MOST_PAGES = 50  # one page has been seen, for all regions together too
_MACHINES = "virtualmachines"
_SIZE = re.compile(r"(?:standard|basic)_[a-z]{1,5}[0-9][a-z0-9_-]{0,60}")
_REASON = re.compile(r"[A-Za-z]{1,60}")
_TEXT = re.compile(r"[\w .()-]{1,80}", re.ASCII)
_ARCHITECTURES = {"x64": "x64", "arm64": "Arm64"}
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_ZONE = re.compile(r"[0-9]")
_NEVER_YEAR = 9999  # "01/01/9999" stands for no date (captured 2026-10)


@dataclass
class SkuListing:
    """The sizes of one region.

    Attributes:
        offers: ``join_key`` of the size -> offer; zones in numbers of the subscription that was asked.
        counts: Rows left out by reason: ``other_types``, ``other_regions``, ``unreadable_rows``, ``doubled_sizes``. And
            ``name_disagreements``: sizes whose name says another number of vCPUs, which are kept.
        odd: Names of at most 20 rows that are unreadable, or disagree with their name.
    """

    offers: dict[str, Offer] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)


def list_sizes(
    client: HttpClient,
    management_url: str,
    *,
    tokens: Tokens,
    subscription: str,
    region: str,
    source: Source,
) -> SkuListing:
    """Ask for one region.

    Args:
        client: HTTP client for this API.
        management_url: ``https://management.azure.com``. A link to another host is not followed.
        tokens: Sign-in.
        subscription: Id of the subscription to ask.
        region: ARM code.
        source: "live" or "simulated".

    Raises:
        UntrustedAnswerError: A page has no list, links lead elsewhere or in circles, or no size can be read.
        AzureError: As the HTTP client raises it; ``AzureRefusedError`` with status 403 for a missing role.
    """
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/skus"
    params: dict[str, str] | None = {"api-version": API_VERSION, "$filter": f"location eq '{region}'"}
    found, asked = SkuListing(), list[dict[str, str]]()
    while params is not None:
        if params in asked or len(asked) >= _MOST_PAGES:
            raise UntrustedAnswerError(API, f"{region}: the links go in circles after {len(asked)} pages")
        asked.append(params)
        answer = json_of(API, send_signed(client, tokens, "GET", management_url + path, params=params))
        rows = answer.get("value")
        if not isinstance(rows, list):
            raise UntrustedAnswerError(API, f"{region}: page {len(asked)} has no list of sizes")
        for row in rows:
            _add(found, row, region, source)
        params = _next_params(str(answer.get("nextLink") or ""), management_url, path)
    if not found.offers:
        raise UntrustedAnswerError(API, f"{region}: no size at all")
    return found


def _next_params(link: str, management_url: str, path: str) -> dict[str, str] | None:
    if not link:
        return None
    parts = urlsplit(link)
    if parts.hostname != urlsplit(management_url).hostname or parts.path.lower() != path.lower():
        raise UntrustedAnswerError(API, "the next page's link leads to another place")
    return dict(parse_qsl(parts.query))


def _add(found: SkuListing, row: object, region: str, source: Source) -> None:
    """Add one row, or count why not."""
    if not isinstance(row, dict):
        _leave_out(found, "unreadable_rows", type(row).__name__)
        return
    if str(row.get("resourceType")).lower() != _MACHINES:
        found.counts["other_types"] += 1
        return
    name = str(row.get("name")).strip()
    if region not in [region_key(one) for one in _texts(row.get("locations"))]:
        found.counts["other_regions"] += 1
        return
    facts = _facts_of(name, row, source)
    if facts is None:
        _leave_out(found, "unreadable_rows", name)
    elif join_key(name) in found.offers:
        found.counts["doubled_sizes"] += 1
    else:
        found.offers[join_key(name)] = _offer_of(facts, row, region)
        said = read_name(name)
        if said is not None and (said.vcpus, said.full_vcpus) != (facts.vcpus, facts.full_vcpus):
            _leave_out(found, "name_disagreements", name)


def _leave_out(found: SkuListing, reason: str, name: str) -> None:
    found.counts[reason] += 1
    if len(found.odd) < MOST_NAMED:
        found.odd.append(name if _TEXT.fullmatch(name) else "a name that is none")


def _facts_of(name: str, row: Mapping[str, object], source: Source) -> SizeFacts | None:
    """The facts of a row; None without a proper name, vCPUs and memory, because then nothing in it can be trusted."""
    told = _capabilities(row.get("capabilities"))
    full, memory = _number(told.get("vCPUs")), _number(told.get("MemoryGB"))
    usable = _number(told.get("vCPUsAvailable", told.get("vCPUs")))
    if not _SIZE.fullmatch(join_key(name)) or not full or not usable or not memory:
        return None
    if usable > full or full % 1 or usable % 1:
        return None
    said, family = read_name(name), str(row.get("family") or "").strip()
    # The API leaves the capability out for sizes without GPUs, and for some with GPUs: there the number is unknown.
    gpus = _number(told.get("GPUs")) or (None if said is not None and said.has_gpu else 0.0)
    spot = told.get("LowPriorityCapable", "").lower()
    return SizeFacts(
        instance_type=name,
        series=said.series if said else None,
        vcpus=int(usable),
        full_vcpus=int(full),
        memory_gib=memory,
        gpus=gpus,
        has_gpu=True if gpus is None else gpus > 0,
        architecture=_ARCHITECTURES.get(told.get("CpuArchitectureType", "").lower()),
        quota_family=family if _TEXT.fullmatch(family) else None,
        is_spot_capable=spot == "true" if spot in ("true", "false") else None,
        retires_on=_day(told.get("RetirementDateUtc", "")),
        source=source,
    )


def _offer_of(facts: SizeFacts, row: Mapping[str, object], region: str) -> Offer:
    zones: set[str] = set()
    for info in _mappings(row.get("locationInfo")):
        if region_key(str(info.get("location"))) == region:
            zones |= set(_zones(info.get("zones")))
    barred: set[str] = set()
    is_restricted, reasons = False, set[str]()
    for one in _mappings(row.get("restrictions")):
        (info,) = _mappings([one.get("restrictionInfo")]) or ({},)
        where = [region_key(text) for text in (*_texts(one.get("values")), *_texts(info.get("locations")))]
        kind = str(one.get("type")).lower()
        if region not in where or kind not in ("location", "zone"):
            continue
        if kind == "location":
            is_restricted = True
        else:
            barred |= set(_zones(info.get("zones"))) or zones
        reasons.add(str(one.get("reasonCode")))
    return Offer(
        facts=facts,
        zones=tuple(sorted(zones)),
        restricted_zones=tuple(sorted(barred)),
        is_restricted=is_restricted,
        reason=" ".join(sorted(filter(_REASON.fullmatch, reasons))),
    )


def _capabilities(value: object) -> dict[str, str]:
    pairs = [(one.get("name"), one.get("value")) for one in _mappings(value)]
    return {name: text.strip() for name, text in pairs if isinstance(name, str) and isinstance(text, str)}


def _mappings(value: object) -> list[dict[str, object]]:
    return [cast("dict[str, object]", one) for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _zones(value: object) -> list[str]:
    return [one for one in _texts(value) if _ZONE.fullmatch(one)]


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def _day(text: str) -> date | None:
    """A day written ``05/01/2028`` (month first: captured 2026-10); None for another form, and for year 9999."""
    try:
        day = datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError:
        return None
    return None if day.year == _NEVER_YEAR else day
