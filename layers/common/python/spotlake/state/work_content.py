"""The JSON of an attempt's work object, which Plan writes, and the collectors and the merge read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NotRequired, TypedDict

from spotlake.errors import DamagedStateError
from spotlake.models import Dataset, Run, RunJson, ScoreCall, ScoreCallJson, WorkItem
from spotlake.planning.attempt import Work
from spotlake.planning.score_knowledge import ScoreKnowledge, SizesByRegion
from spotlake.scores.zones import ZoneNumbers


class RegionWorkJson(TypedDict):
    """A region's work item, without the values that all items share."""

    instance_types: Sequence[str]
    calls: list[ScoreCallJson]
    datasets: list[str]
    ondemand: bool
    filtered: bool
    last_good_rows: Mapping[str, int]
    absent_spot: NotRequired[Sequence[str]]  # since 0.2.0, as the next two
    absent_ondemand: NotRequired[Sequence[str]]
    witness: NotRequired[bool]
    later: NotRequired[Sequence[str]]  # since 2026-11-26


class KnowledgeJson(TypedDict):
    """What the collectors of placement scores need to know; see ``ScoreKnowledge``."""

    zones: Mapping[str, ZoneNumbers]
    reference: str
    refused: Collection[str]
    restricted: SizesByRegion
    restricted_for: Mapping[str, SizesByRegion]


class WorkJson(TypedDict):
    """An attempt's work; see ``Work`` and ``WorkItem``."""

    run: RunJson
    calls_planned: int
    calls_waiting: int
    quota_left: int
    oldest_waiting_minutes: float | None
    blocks: Mapping[str, str]
    confirmed_at: Mapping[str, Mapping[str, str]]
    fallback_locations: Sequence[str]
    quota_share_percent: int
    regions: dict[str, RegionWorkJson]
    knowledge: NotRequired[KnowledgeJson | None]  # since 2026-11-26


def work_content(work: Work) -> WorkJson:
    """Values that many items share are written once, because every collector reads this object."""
    shared = next(iter(work.items.values()), WorkItem(region=""))
    return {
        "run": work.run.to_dict(),
        "calls_planned": work.calls_planned,
        "calls_waiting": work.calls_waiting,
        "quota_left": work.quota_left,
        "oldest_waiting_minutes": work.oldest_waiting_minutes,
        "blocks": work.blocks,
        "confirmed_at": work.confirmed_at,
        "fallback_locations": shared.fallback_locations,
        "quota_share_percent": shared.quota_share_percent,
        "knowledge": _knowledge_content(work.knowledge) if work.knowledge else None,
        "regions": {
            region: {
                "instance_types": item.instance_types,
                "calls": [call.to_dict() for call in item.calls],
                "datasets": [dataset.value for dataset in item.datasets],
                "ondemand": item.ondemand,
                "filtered": item.filtered,
                "last_good_rows": item.last_good_rows,
                "absent_spot": item.absent_spot,
                "absent_ondemand": item.absent_ondemand,
                "witness": item.witness,
                "later": [dataset.value for dataset in item.later],
            }
            for region, item in work.items.items()
        },
    }


def parsed_work(content: WorkJson, key: str) -> Work:
    """The work of a stored object. Raises DamagedStateError that names the key."""
    try:
        return Work(
            run=Run.from_dict(content["run"]),
            items={
                region: WorkItem(
                    region=region,
                    instance_types=tuple(one["instance_types"]),
                    calls=tuple(ScoreCall.from_dict(call) for call in one["calls"]),
                    datasets=tuple(Dataset(name) for name in one["datasets"]),
                    fallback_locations=tuple(content["fallback_locations"]),
                    ondemand=one["ondemand"],
                    filtered=one["filtered"],
                    quota_share_percent=content["quota_share_percent"],
                    last_good_rows=one["last_good_rows"],
                    whole_at=content["confirmed_at"].get(region, {}),
                    absent_spot=tuple(one.get("absent_spot", ())),
                    absent_ondemand=tuple(one.get("absent_ondemand", ())),
                    witness=one.get("witness", False),
                    later=tuple(Dataset(name) for name in one.get("later", ())),
                )
                for region, one in content["regions"].items()
            },
            calls_planned=content["calls_planned"],
            calls_waiting=content["calls_waiting"],
            quota_left=content["quota_left"],
            oldest_waiting_minutes=content["oldest_waiting_minutes"],
            blocks=content["blocks"],
            confirmed_at=content["confirmed_at"],
            knowledge=ScoreKnowledge(**known) if (known := content.get("knowledge")) else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedStateError(f"{key}: damaged ({type(error).__name__}: {error})") from error


def _knowledge_content(known: ScoreKnowledge) -> KnowledgeJson:
    return {
        "zones": known.zones,
        "reference": known.reference,
        "refused": known.refused,
        "restricted": known.restricted,
        "restricted_for": known.restricted_for,
    }
