from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from spotlake.errors import InvalidInputError
from spotlake.planning.run_input import matches, parse_input, require_known_regions

NOW_AT = datetime(2025, 12, 15, 10, 7, tzinfo=UTC)
TEN = datetime(2025, 12, 15, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-12-15 10:00",
        "2025-12-15T10:00",
        "2025-12-15T10:00:00",
        "2025-12-15T10:00:00Z",
        "2025-12-15T10:00:00.123Z",
        "2025-12-15T19:00:00+09:00",
        "2025-12-15 10:09:59",
    ],
)
def test_accepts_every_form_and_floors_to_the_slot(text: str) -> None:
    assert parse_input({"timestamp": text}, now_at=NOW_AT).slot_at == TEN


def test_says_when_flooring_changed_the_timestamp() -> None:
    assert parse_input({"timestamp": "2025-12-15 10:01"}, now_at=NOW_AT).floored
    assert not parse_input({"timestamp": "2025-12-15 10:00"}, now_at=NOW_AT).floored


@pytest.mark.parametrize(
    "value",
    [
        "",
        "placeholder",
        "yesterday",
        "2025-11-31 10:00",
        "2025-12-15 24:00",
        "2025-12-15T10:00+14:30",
        1765792800,
        "1765792800",
        "2021-12-31 23:50",
        "2025-12-15 10:20",
        "2025-12-15 10:00 ",
        ["2025-12-15 10:00"],
    ],
)
def test_refuses_what_is_no_timestamp_and_names_it(value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_input({"timestamp": value}, now_at=NOW_AT)
    assert refused.value.field == "timestamp"
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(("text", "accepted"), [("2025-12-15 09:00", True), ("2025-12-15 08:50", False)])
def test_a_slot_of_the_past_is_taken_only_when_told_so(text: str, accepted: bool) -> None:
    for raw in ({"timestamp": text}, {"timestamp": text, "resume": True}):
        if accepted:
            assert parse_input(raw, now_at=NOW_AT).slot_at is not None
        else:
            with pytest.raises(InvalidInputError, match="of the last hour"):
                parse_input(raw, now_at=NOW_AT)
    assert parse_input({"timestamp": text, "past": True}, now_at=NOW_AT).slot_at is not None
    assert parse_input({"timestamp": text}, now_at=None).slot_at is not None  # the run's clock is the slot's


def test_the_next_slot_is_not_the_future() -> None:
    assert parse_input({"timestamp": "2025-12-15 10:10"}, now_at=NOW_AT).slot_at is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "fast"),
        ("mode", None),
        ("regions", "koreacentral"),
        ("regions", ["usgovvirginia"]),
        ("regions", ["../etc"]),
        ("regions", [1]),
        ("instance_types", "Standard_D2s_v5"),
        ("instance_types", ["Standard D2s"]),
        ("desired_count", 0),
        ("desired_count", 3),
        ("desired_count", True),
        ("desired_count", "5"),
        ("desired_count", []),
        ("desired_count", [1, 5]),
        ("resume", "yes"),
        ("dry_run", True),
    ],
)
def test_refuses_wrong_values_naming_field_value_and_way_out(field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_input({field: value}, now_at=NOW_AT)
    assert refused.value.field == field
    assert "give " in str(refused.value)


@pytest.mark.parametrize("raw", [None, [], "x"])
def test_refuses_an_input_that_is_no_object(raw: Any) -> None:
    with pytest.raises(InvalidInputError, match="input"):
        parse_input(raw, now_at=NOW_AT)


@pytest.mark.parametrize(
    "raw",
    [
        {"instance_types": ["Standard_D*"] * 501},
        {"instance_types": ["*" * 201]},
        {"regions": ["eastus"] * 50_000},
        {"regions": ["e" * 250_000]},
        {"timestamp": "2" * 250_000},
        {"mode": ["auto"] * 50_000},
        {"x" * 250_000: 1},
        ["x"] * 50_000,
    ],
    ids=["globs", "glob", "regions", "region", "timestamp", "mode", "field", "input"],
)
def test_refuses_what_is_too_much_and_does_not_echo_it(raw: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_input(raw, now_at=NOW_AT)
    assert len(str(refused.value)) < 1000


def test_as_many_globs_as_one_may_give() -> None:
    assert (
        len(parse_input({"instance_types": [f"Standard_D{one}*" for one in range(500)]}, now_at=NOW_AT).instance_types)
        == 500
    )


def test_several_counts_need_a_full_run() -> None:
    request = parse_input({"mode": "full", "desired_count": [1, 5, 5]}, now_at=NOW_AT)
    assert request.desired_counts == (1, 5)


def test_an_empty_input_is_a_run_of_now() -> None:
    request = parse_input({}, now_at=NOW_AT)
    assert (request.slot_at, request.mode, request.regions, request.desired_counts) == (None, "auto", (), ())


def test_unknown_region_gets_the_nearest_names() -> None:
    with pytest.raises(InvalidInputError, match="koreacentral"):
        require_known_regions(["koreacentrall"], {"koreacentral", "eastus"})


def test_globs_compare_without_case() -> None:
    assert matches("Standard_NC24ads_A100_v4", ["standard_nc*"])
    assert matches("anything", [])
    assert not matches("Standard_D2s_v5", ["Standard_E*"])
