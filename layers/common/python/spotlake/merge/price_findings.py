"""What a slot's price listings found odd, for its manifest (pure). Its form: docs/data.md."""

from __future__ import annotations

from collections.abc import Mapping

from spotlake.merge.slot import SlotRead
from spotlake.models import Dataset
from spotlake.price_files import PriceFindings
from spotlake.reports import CollectorReport, RowSample

MOST_SAMPLES = 5
MOST_NAMED_DISAGREEMENTS = 20
MOST_NAMED_SIZES = 400  # of a region; the number is always whole


def price_findings(slot: SlotRead) -> PriceFindings:
    """Rows of unknown kinds, prices that disagree, and pairs that no listing confirmed: counted, and some named.

    Of a region that several attempts listed the newest whole listing counts.
    """
    reports, known = _listings(slot)
    unconfirmed = {
        region: report.found.unconfirmed_sizes for region, report in reports.items() if report.found.unconfirmed_sizes
    }
    pairs = sum(map(len, unconfirmed.values()))
    return {
        "unknown_kinds": {
            "rows": _sum(reports, "rejected_unknown_kind"),
            "samples": _samples(reports),
        },
        "price_disagreements": {
            "rows": _sum(reports, "price_disagreements"),
            "sizes": [
                f"{region} {name}" for region, report in reports.items() for name in report.found.disagreeing_sizes
            ][:MOST_NAMED_DISAGREEMENTS],
        },
        "unconfirmed": {
            "pairs": pairs,
            "healed": _sum(reports, "healed_sizes"),
            "regions": {
                region: {"pairs": len(sizes), "sizes": list(sizes[:MOST_NAMED_SIZES])}
                for region, sizes in unconfirmed.items()
            },
        },
        "unconfirmed_percent": round(100 * pairs / known, 2) if known else None,
    }


def _listings(slot: SlotRead) -> tuple[dict[str, CollectorReport], int]:
    """Region -> its newest whole listing of all its sizes, and how many pairs those were to confirm."""
    reports: dict[str, CollectorReport] = {}
    known: dict[str, int] = {}
    for attempt in slot.attempts:
        if attempt.record.scope.instance_types:
            continue
        for report in attempt.reports:
            if report.dataset is Dataset.PRICE and report.status == "complete":
                reports[report.region] = report
                item = attempt.work.items.get(report.region) if attempt.work else None
                known[report.region] = len(item.instance_types) if item else 0
    return dict(sorted(reports.items())), sum(known.values())


def _samples(reports: Mapping[str, CollectorReport]) -> list[RowSample]:
    """One row of each kind, with the first region that has it."""
    found: dict[str, RowSample] = {}
    for region, report in reports.items():
        for sample in report.found.unknown_kinds:
            found.setdefault(str(sample.get("kind")), {"region": region, **sample})
    return [sample for _, sample in sorted(found.items())][:MOST_SAMPLES]


def _sum(reports: Mapping[str, CollectorReport], name: str) -> int:
    return sum(report.counts.get(name, 0) for report in reports.values())
