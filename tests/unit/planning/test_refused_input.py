"""What a user reads of a wrong input, whole: the field, the value and what to give; and the edges of what is taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spotlake.errors import InvalidInputError
from spotlake.planning.run_input import (
    RunInput,
    matches,
    parse_input,
    parse_timestamp,
    require_known_regions,
    require_known_sizes,
)

NOW_AT = datetime(2025, 12, 15, 10, 7, tzinfo=UTC)
with pytest.raises(ValueError, match="day") as no_such_day:
    datetime.fromisoformat("2025-11-31")
NO_SUCH_DAY = str(no_such_day.value)  # in the words of this Python
FORMS = "2025-12-15 10:00, 2025-12-15T10:00:00Z or the like with an offset (UTC when there is none)"
REGIONS = "a list of ARM codes of public regions, such as koreacentral"
SIZES = "a list of ARM sizes or globs, such as Standard_D*s_v5"
COUNTS = "one of 1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50"
FIELDS = "only the fields timestamp, mode, regions, instance_types, desired_count, resume, past"
LAST_HOUR = (
    "a slot of the last hour, for Azure answers for the present alone "
    "(past: true, at the command line --past, takes an older slot all the same)"
)


@pytest.mark.parametrize(
    ("raw", "field", "value", "allowed"),
    [
        (None, "input", None, "a JSON object, {} for a run of the present slot"),
        (["x"], "input", ["x"], "a JSON object, {} for a run of the present slot"),
        ({"dry_run": True}, "dry_run", True, FIELDS),
        ({7: True}, "7", True, FIELDS),
        ({"timestamp": "soon"}, "timestamp", "soon", FORMS),
        ({"timestamp": 7}, "timestamp", 7, FORMS),
        (
            {"timestamp": "2025-11-31 10:00"}, "timestamp", "2025-11-31 10:00",
            f"a moment that exists ({NO_SUCH_DAY}), as {FORMS}",
        ),
        (
            {"timestamp": "2025-12-15 10:00+14:01"}, "timestamp", "2025-12-15 10:00+14:01",
            "an offset of at most 14 hours",
        ),
        ({"timestamp": "2021-12-31 23:59"}, "timestamp", "2021-12-31 23:59", "a year from 2022 on"),
        ({"timestamp": "2025-12-15 10:20"}, "timestamp", "2025-12-15 10:20", "a slot that has come, or the next one"),
        ({"timestamp": "2025-12-15 08:59"}, "timestamp", "2025-12-15 08:59", LAST_HOUR),
        ({"mode": "fast"}, "mode", "fast", "one of auto, incremental, full"),
        ({"past": 1}, "past", 1, "true or false"),
        ({"resume": "yes"}, "resume", "yes", "true or false"),
        ({"regions": "eastus"}, "regions", "eastus", REGIONS),
        ({"regions": ["eastus", 7]}, "regions", ["eastus", 7], REGIONS),
        ({"regions": ["eastus", "usgovvirginia"]}, "regions", "usgovvirginia", REGIONS),
        ({"regions": ["x"] * 501}, "regions", "501 values", "at most 500, or none for all"),
        (
            {"regions": ["eastus", "x" * 201]}, "regions", "x" * 201,
            f"{REGIONS}, of at most 200 characters",
        ),
        ({"instance_types": {}}, "instance_types", {}, SIZES),
        ({"instance_types": ["A", "Standard D2"]}, "instance_types", "Standard D2", SIZES),
        ({"instance_types": ["A", ""]}, "instance_types", "", SIZES),
        (
            {"instance_types": ["x" * 201]}, "instance_types", "x" * 201,
            f"{SIZES}, of at most 200 characters",
        ),
        ({"desired_count": 3}, "desired_count", 3, COUNTS),
        ({"desired_count": [1, True], "mode": "full"}, "desired_count", True, COUNTS),
        ({"desired_count": "5"}, "desired_count", "5", COUNTS),
        ({"desired_count": 5.0}, "desired_count", 5.0, COUNTS),
        ({"desired_count": []}, "desired_count", [], COUNTS),
        ({"desired_count": [1, 5]}, "desired_count", [1, 5], "one count, or several with mode full"),
        (
            {"desired_count": [1, 5], "mode": "incremental"}, "desired_count", [1, 5],
            "one count, or several with mode full",
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_field_value_and_way_out(raw: Any, field: str, value: Any, allowed: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_input(raw, now_at=NOW_AT)
    assert (refused.value.field, refused.value.value, refused.value.allowed) == (field, value, allowed)
    if len(str(value)) < 200:
        assert str(refused.value) == f"{field}: {value!r} is not allowed; give {allowed}"


def test_an_input_with_everything_is_read_as_given() -> None:
    raw = {
        "timestamp": "2025-12-15 09:59", "mode": "full", "regions": ["westus", "eastus", "westus"],
        "instance_types": ["Standard_[DE]?s-!*", "A", "A"], "desired_count": [50, 1, 50], "resume": True, "past": False,
    }  # fmt: skip
    assert parse_input(raw, now_at=NOW_AT) == RunInput(
        slot_at=datetime(2025, 12, 15, 9, 50, tzinfo=UTC),
        floored=True,
        mode="full",
        regions=("westus", "eastus"),
        instance_types=("Standard_[DE]?s-!*", "A"),
        desired_counts=(50, 1),
        resume=True,
    )


NOTHING = RunInput(
    slot_at=None, floored=False, mode="auto", regions=(), instance_types=(), desired_counts=(), resume=False
)


def test_an_empty_input_asks_for_all_of_the_present_slot() -> None:
    raws: list[Any] = [{}, {"timestamp": None}, {"past": True}, {"desired_count": None, "regions": []}, {"regions": []}]
    for raw in raws:
        assert parse_input(raw, now_at=NOW_AT) == parse_input(raw, now_at=None) == NOTHING


@pytest.mark.parametrize("count", [1, [1], 50, [50]])
def test_one_count_is_one_of_any_mode(count: Any) -> None:
    for mode in ("auto", "incremental", "full"):
        read = parse_input({"desired_count": count, "mode": mode}, now_at=NOW_AT)
        assert read.desired_counts == ((count,) if isinstance(count, int) else tuple(count))


@pytest.mark.parametrize("names", [["e" * 60] * 500, ["e" * 60]])
def test_as_much_as_may_be_given(names: list[str]) -> None:
    assert parse_input({"regions": names}, now_at=NOW_AT).regions == ("e" * 60,)
    globs = ["*" * 200] * len(names)
    assert parse_input({"instance_types": globs}, now_at=NOW_AT).instance_types == ("*" * 200,)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-15 10:04", "2025-12-15T10:04:00+00:00"),
        ("2025-12-15T10:04:59.5Z", "2025-12-15T10:04:59.500000+00:00"),
        ("2025-12-15 19:04+09:00", "2025-12-15T10:04:00+00:00"),
        ("2025-12-15 02:04:01-08:00", "2025-12-15T10:04:01+00:00"),
        ("2025-12-16 00:04+14:00", "2025-12-15T10:04:00+00:00"),
        ("2025-12-14 20:04-14:00", "2025-12-15T10:04:00+00:00"),
        ("2022-01-01 00:00", "2022-01-01T00:00:00+00:00"),
        ("2025-12-15 10:19", "2025-12-15T10:19:00+00:00"),  # in the slot after the present one
        ("2025-12-15 23:59", None),
        ("2025-12-15 10:20", None),
    ],
)
def test_a_timestamp_is_a_moment_in_utc_of_the_next_slot_at_the_latest(text: str, moment: str | None) -> None:
    if moment is None:
        assert parse_timestamp(text, now_at=None).isoformat() == text.replace(" ", "T") + ":00+00:00"
        with pytest.raises(InvalidInputError):
            parse_timestamp(text, now_at=NOW_AT)
    else:
        assert parse_timestamp(text, now_at=NOW_AT).isoformat() == moment


@pytest.mark.parametrize(("minutes", "is_taken"), [(-67, True), (-68, False), (12, True), (13, False)])
def test_a_slot_of_the_last_hour_up_to_the_next_one(minutes: int, is_taken: bool) -> None:
    """The present slot began at 10:00; so those from 9:00 to 10:10 are taken, whatever the minute."""
    given = {"timestamp": (NOW_AT + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M")}
    if is_taken:
        assert parse_input(given, now_at=NOW_AT).slot_at is not None
    else:
        with pytest.raises(InvalidInputError):
            parse_input(given, now_at=NOW_AT)
    if minutes < 0:
        assert parse_input(given | {"past": True}, now_at=NOW_AT).slot_at is not None
        assert parse_input(given, now_at=None).slot_at is not None


KNOWN = ["koreacentral", "koreasouth", "eastus", "eastus2", "westus", "westus2", "northeurope"]


@pytest.mark.parametrize(
    ("region", "near"),
    [
        ("koreacentrall", "koreacentral, koreasouth"),
        ("eastus3", "eastus, eastus2, westus"),  # three at most: 12/13, 12/14 and 10/13 of the letters
        ("noreur", "northeurope, koreasouth"),  # 12/17, and just a half
        ("xyz", "eastus, eastus2, koreacentral, koreasouth, northeurope"),  # the first five
    ],
)
def test_an_unknown_region_gets_the_most_similar_ones(region: str, near: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        require_known_regions(["eastus", region], KNOWN)
    assert (refused.value.field, refused.value.value) == ("regions", region)
    assert refused.value.allowed == f"ARM codes of the 7 known regions, such as {near}"
    require_known_regions(KNOWN, KNOWN)
    require_known_regions([], [])


def test_globs_that_fit_nothing_are_refused_together() -> None:
    for globs in (["Standard_Z*", "Standard_Y1"], ["Standard_Z*"]):
        with pytest.raises(InvalidInputError) as refused:
            require_known_sizes(globs, ["Standard_D2s_v5"])
        assert (refused.value.field, refused.value.value) == ("instance_types", ", ".join(globs))
        assert refused.value.allowed == "globs that fit a size of the catalogue, such as Standard_D*"
    require_known_sizes(["Standard_Z*", "standard_d*"], ["Standard_E2", "Standard_D2s_v5"])
    require_known_sizes([], [])


def test_any_glob_selects_in_any_case() -> None:
    assert matches("Standard_D2s_v5", ["STANDARD_E*", "standard_d?S_v5"])
    assert not matches("Standard_D2s_v5", ["Standard_D2s", "D2s_v5"])
    assert matches("Standard_D2s_v5", [])
