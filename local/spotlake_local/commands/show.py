"""``spotlake show [RUN]``: shows one run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from spotlake_local.archive import (
    add_source_arguments,
    confirmed_text,
    cost_text,
    coverage_text,
    manifests,
    no_runs_yet,
    open_archive,
    overtaken_text,
    read_manifest,
    score_ages,
    scores_waiting,
    slot_text,
    statistics,
)
from spotlake_local.arguments import add_command

if TYPE_CHECKING:
    from rich.table import Table

    from spotlake.reporting.verdict import JudgedManifest
    from spotlake.run_files import AttemptEntry, Execution

_EPILOG = """\
examples:
  spotlake show
  spotlake show 20251215T1000Z
  spotlake show 20251215T1000Z --bucket spotlake-test"""


def add_parser(subparsers: Any) -> None:
    """Add ``show`` to the command line."""
    parser = add_command(
        subparsers,
        "show",
        summary="show one run: coverage by data set, what is stale, what was written",
        description="Shows one finished run from its manifest: coverage and rows by data set, calls, which regions "
        "kept their old values and why, and the keys written.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "run_id",
        nargs="?",
        metavar="RUN",
        help="a run id, such as 20251215T1000Z, or latest (the default)",
    )
    add_source_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the manifest's facts; exit code 0 also when there is no run yet (and says how to make one)."""
    from rich.console import Console

    archive = open_archive(arguments)
    wanted = arguments.run_id if arguments.run_id != "latest" else None
    manifest = read_manifest(archive, wanted) if wanted else next(manifests(archive, last=1), None)
    console = Console(soft_wrap=True, highlight=False, markup=False)  # prints keys and reasons whole and unchanged
    if manifest is None:
        console.print(no_runs_yet(arguments))
        return 0
    console.print(facts_table(manifest, statistics(archive, manifest["run_id"])))
    if manifest["error"]:
        console.print(f"{manifest['error']}: {manifest['cause']}")
    for one in manifest["attempts"]:
        console.print(f"attempt {attempt_text(one)}")
    for stale in manifest["stale"]:
        kept = f"kept from {stale['since']}" if stale["since"] else "nothing to keep"
        what = f"{stale['dataset']} of {stale['region']}" if stale["region"] else "a whole attempt"
        console.print(f"stale: {what}: {stale['error']}: {stale['cause']}; {kept}")
    for refused in manifest["refused_shards"]:
        console.print(f"refused: {refused['key']}: {refused['reason']}")
    for text in price_texts(manifest):
        console.print(f"prices: {text}")
    for key in manifest["outputs"]:
        console.print(f"  {key}", style="dim")
    return 0


def facts_table(manifest: JudgedManifest, statistics: Execution | None) -> Table:
    """A table of names and values."""
    from rich.table import Table

    table = Table(show_header=False, title=f"run {manifest['run_id']}: {manifest['verdict']}")
    rows = manifest["rows"]
    azure = statistics["azure"] if statistics else "not said"
    table.add_row("slot (UTC), Azure", f"{slot_text(manifest['run_id'])}, {azure}")
    table.add_row("mode, status", f"{manifest['mode']}, {manifest['status']}")
    table.add_row("desired counts", ", ".join(map(str, manifest["desired_counts"])))
    table.add_row("regions", f"{manifest['regions_complete']} of {manifest['regions_requested']} complete")
    table.add_row("coverage", f"{manifest['coverage_percent']:.1f} %")
    for name, label in (("sps", "placement scores"), ("price", "prices"), ("eviction", "eviction rates")):
        table.add_row(label, f"{rows[name]:,} rows, {coverage_text(manifest, name)}")
    table.add_row("merged", f"{rows['merged']:,} rows, {manifest['changed_rows']:,} changed")
    table.add_row("calls", f"{manifest['sps_calls']:,}, {manifest['throttled_calls']:,} throttled")
    if statistics is not None and "cost" in statistics:
        table.add_row("cost of this run", cost_text(statistics["cost"]["total_usd"]))
    if statistics is not None and statistics.get("findings"):
        table.add_row("needs eyes", ", ".join(statistics["findings"]))
    table.add_row("scores waiting", scores_waiting(manifest))
    table.add_row("score ages", score_ages(manifest))
    for name, label in (("sps", "scores"), ("price", "prices"), ("eviction", "eviction rates")):
        if "value_ages" in manifest:
            table.add_row(f"{label} last confirmed", confirmed_text(manifest["value_ages"], name))
    if manifest["overtaken_items"]:
        table.add_row("items not written", overtaken_text(manifest["overtaken_items"]))
    if manifest.get("invalid_items"):
        table.add_row("items left out", f"{manifest['invalid_items']:,}: DynamoDB cannot hold them")
    if manifest["quota_left"] is not None:
        table.add_row("quota left before it", f"{manifest['quota_left']:,} calls")
    return table


def price_texts(manifest: JudgedManifest) -> list[str]:
    """What the price lists lacked, what in them nobody knows, and who contradicts whom; nothing when all is well."""
    texts = []
    unconfirmed = manifest.get("unconfirmed")
    if unconfirmed is not None and unconfirmed["pairs"]:
        regions = ", ".join(f"{region} {one['pairs']}" for region, one in unconfirmed["regions"].items())
        texts.append(f"{unconfirmed['pairs']:,} pairs not confirmed, they keep their old price: {regions}")
    unknown = manifest.get("unknown_kinds")
    if unknown is not None and unknown["rows"]:
        kinds = ", ".join(f"{one['kind']!r}" for one in unknown["samples"])
        texts.append(f"{unknown['rows']:,} rows of kinds that no rule knows: {kinds}")
    disagreements = manifest.get("price_disagreements")
    if disagreements is not None and disagreements["rows"]:
        texts.append(f"{disagreements['rows']:,} second meters say another price: {', '.join(disagreements['sizes'])}")
    for one in manifest.get("price_witness") or ():
        found = "; ".join(
            f"{system} {two['agreeing']:,} sizes agree, {two['disagreeing']:,} do not"
            for system, two in one["systems"].items()
        )
        texts.append(f"second witness of {one['region']}: {found or 'no answer'}")
    return texts


def attempt_text(one: AttemptEntry) -> str:
    """An attempt in one line: mode, plan and failure."""
    counts = ", ".join(map(str, one["desired_counts"]))
    planned = f"{one['calls_planned']:,} calls planned" if one["planned"] else "nothing planned"
    asked = ", ".join(name for name, is_so in (("filtered", one["filtered"]), ("resumed", one["resumed"])) if is_so)
    stopped = f"; {one['error']}: {one['cause']}" if one["error"] else ""
    return f"{one['attempt']}: {one['mode']}{f' ({asked})' if asked else ''}, count {counts}, {planned}{stopped}"
