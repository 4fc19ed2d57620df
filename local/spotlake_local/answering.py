"""Flags and output of the commands that read an archive's data."""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from spotlake.errors import InvalidInputError
from spotlake.models import DESIRED_COUNTS, from_iso, slot_of_run_id, to_iso
from spotlake_local.arguments import add_state_dir, whole_number, workspace_of

if TYPE_CHECKING:
    from spotlake.archive.archive import Archive
    from spotlake.archive.filters import Range, Where

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORMS = "2026-03-03 10:00 (UTC), 20260303T1000Z, or a time ago such as 90m, 6h, 30d, 2w"
_AGO = re.compile(r"\d{1,5}[mhdw]")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)?(-)?(\d+(?:\.\d+)?)?")


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which archive is read, and how the answer is printed."""
    add_state_dir(parser)
    parser.add_argument(
        "--from",
        dest="address",
        metavar="ADDRESS",
        help="read another archive: a folder, s3://BUCKET (AWS sign-in) or https://... (default: the local runs)",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="one JSON object a line, with all columns")
    forms.add_argument("--csv", action="store_true", help="CSV with all columns")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose workloads."""
    parser.add_argument("--region", metavar="GLOB,...", help="ARM names: koreacentral, 'europe*'")
    parser.add_argument("--geography", metavar="GLOB,...", help="Europe, Korea, 'United States'")
    parser.add_argument("--size", metavar="GLOB,...", help="Standard_D4s_v5, 'D*s_v5'")
    parser.add_argument("--family", metavar="GLOB,...", help="series: Dsv5, 'NC*'")
    parser.add_argument("--architecture", metavar="NAME", help="x64 or Arm64")
    parser.add_argument("--vcpu", metavar="N[-M]", help="vCPUs of the size: 4, 8-, -16, 4-16")
    parser.add_argument("--memory", metavar="N[-M]", help="memory of the size in GiB")
    parser.add_argument("--gpu", metavar="N[-M]", help="GPUs of the size")
    parser.add_argument("--min-score", metavar="N", help="least score, 1 to 3, at --count")
    parser.add_argument("--count", default="1", metavar="N", help="desired count of --min-score (default: 1)")
    parser.add_argument("--min-t2", metavar="N", help="least count that recently scored at least 2")
    parser.add_argument("--min-t3", metavar="N", help="least count that recently scored 3")
    parser.add_argument("--max-price", metavar="USD", help="most USD an hour")
    parser.add_argument("--max-price-per-vcpu", metavar="USD", help="most USD a vCPU and hour")
    parser.add_argument("--min-if", metavar="N", help="least interruption frequency: 3.0 is 0 to 5 percent a month")
    parser.add_argument(
        "--max-age", metavar="TIME", help="confirmed within 90m, 6h, 2d: spot price, and score at --count"
    )


def where_of(arguments: argparse.Namespace) -> Where:
    """The conditions that the flags make. Raises InvalidInputError that names the flag."""
    from spotlake.archive.filters import Where

    return Where(
        regions=_names(arguments.region),
        geographies=_names(arguments.geography),
        sizes=_names(arguments.size),
        families=_names(arguments.family),
        architecture=arguments.architecture,
        vcpus=_range("--vcpu", arguments.vcpu),
        memory_gib=_range("--memory", arguments.memory),
        gpus=_range("--gpu", arguments.gpu),
        min_score=_whole("--min-score", arguments.min_score),
        count=whole_number("--count", arguments.count, 1, DESIRED_COUNTS[-1]),
        min_t2=_whole("--min-t2", arguments.min_t2),
        min_t3=_whole("--min-t3", arguments.min_t3),
        max_price=_number("--max-price", arguments.max_price),
        max_price_per_vcpu=_number("--max-price-per-vcpu", arguments.max_price_per_vcpu),
        min_if=_number("--min-if", arguments.min_if),
        max_age=_span("--max-age", arguments.max_age),
    )


def archive_of(arguments: argparse.Namespace) -> Archive:
    """The archive that the flags name."""
    from spotlake.archive.archive import open_archive

    return open_archive(arguments.address or str(workspace_of(arguments).outputs))


def moment_of(flag: str, text: str, now_at: datetime) -> datetime:
    """The moment that a flag names. ``now_at`` is what a time ago is counted from.

    >>> moment_of("--since", "30d", datetime(2026, 3, 31, tzinfo=UTC)).isoformat()
    '2026-03-01T00:00:00+00:00'
    """
    if _AGO.fullmatch(text):
        return now_at - _span_of(text)
    for read in (slot_of_run_id, from_iso, lambda one: datetime.fromisoformat(one).replace(tzinfo=UTC)):
        try:
            return read(text)
        except ValueError:
            continue
    raise InvalidInputError(flag, text, _FORMS)


def show(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], arguments: argparse.Namespace) -> int:
    """Print rows as a table of some columns, or all columns as JSON lines or CSV. Returns the number of rows."""
    if arguments.json:
        return _print_json(rows)
    if arguments.csv:
        return _print_csv(rows, columns)
    return _print_table(rows, columns)


def say(text: str) -> None:
    """A word about the answer, beside the answer."""
    sys.stderr.write(text + "\n")


def _print_json(rows: Iterable[Mapping[str, Any]]) -> int:
    number = 0
    for row in rows:
        sys.stdout.write(orjson.dumps(row, default=str).decode() + "\n")
        number += 1
    return number


def _print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    number, writer = 0, csv.writer(sys.stdout, lineterminator="\n")
    for row in rows:
        if number == 0:
            writer.writerow(row)
        writer.writerow("" if value is None else _plain(value) for value in row.values())
        number += 1
    if number == 0:
        writer.writerow(columns)
    return number


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    lines = [[_cell(row[name]) for name in columns] for row in rows]
    titles = [name.removesuffix("_per_hour") for name in columns]
    widths = [max(len(line[place]) for line in [titles, *lines]) for place in range(len(titles))]
    for line in [titles, *lines]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    return len(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> str:
    return to_iso(value) if isinstance(value, datetime) else str(value)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip()) if text else ()


def _whole(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise InvalidInputError(flag, text, "a whole number")
    return int(text)


def _number(flag: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise InvalidInputError(flag, text, "a number")
    return value


def _span(flag: str, text: str | None) -> timedelta | None:
    if text is None:
        return None
    if not _AGO.fullmatch(text):
        raise InvalidInputError(flag, text, "90m, 6h, 30d or 2w")
    return _span_of(text)


def _span_of(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _range(flag: str, text: str | None) -> Range:
    """Least and most.

    >>> _range("--vcpu", "4"), _range("--vcpu", "8-"), _range("--vcpu", "-16"), _range("--vcpu", "4-16")
    ((4.0, 4.0), (8.0, None), (None, 16.0), (4.0, 16.0))
    """
    if text is None:
        return None, None
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        raise InvalidInputError(flag, text, "a number or a range: 4, 8-, -16, 4-16")
    low, high = (float(one) if one else None for one in (found[1], found[3]))
    return (low, high) if found[2] else (low, low)
