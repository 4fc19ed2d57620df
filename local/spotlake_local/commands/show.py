"""``spotlake show RUN``: one run as a person wants to read it."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from spotlake_local.archive import add_source_arguments, open_archive, read_manifest


def add_parser(subparsers: Any) -> None:
    """Add ``show`` to the command line."""
    parser = subparsers.add_parser(
        "show",
        help="show one run: coverage by data set, what is stale, what it cost, what was written",
        description="Shows one finished run from its manifest.",
    )
    parser.add_argument("run_id", metavar="RUN", help="a run id, such as 20251215T1000Z (see `spotlake runs`)")
    add_source_arguments(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Print the manifest's facts."""
    manifest = read_manifest(open_archive(arguments), arguments.run_id)
    console = Console()
    console.print(facts_table(manifest))
    for stale in manifest["stale"]:
        kept = f"kept from {stale['since']}" if stale["since"] else "nothing to keep"
        console.print(f"stale: {stale['dataset']} of {stale['region']}: {stale['error']}, {kept}")
    for refused in manifest["refused_shards"]:
        console.print(f"refused: {refused['key']}: {refused['reason']}")
    for key in manifest["outputs"]:
        console.print(f"  {key}", style="dim")
    return 0


def facts_table(manifest: dict[str, Any]) -> Table:
    """Two columns: what, and how much."""
    table = Table(show_header=False, title=f"run {manifest['run_id']}")
    rows = manifest["rows"]
    table.add_row("mode, status", f"{manifest['mode']}, {manifest['status']}")
    table.add_row("desired counts", ", ".join(map(str, manifest["desired_counts"])))
    table.add_row("coverage", f"{manifest['coverage_percent']:.1f} %")
    for name, label in (("sps", "placement scores"), ("price", "prices"), ("eviction", "eviction rates")):
        table.add_row(label, f"{rows[name]:,} rows, {manifest['coverage'][name]:.1f} %")
    table.add_row("merged", f"{rows['merged']:,} rows, {manifest['changed_rows']:,} changed")
    table.add_row("calls", f"{manifest['sps_calls']:,}, {manifest['throttled_calls']:,} throttled")
    age = manifest.get("oldest_score_age_minutes")
    table.add_row("oldest score then", "unknown" if age is None else f"{age:.0f} minutes")
    return table
