"""Bounds and kinds of every setting, at both ends. The module is made anew: its bounds are made when it is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from spotlake import settings
from spotlake.errors import ConfigurationError
from tests.support.errors import says


@pytest.fixture
def make() -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location("spotlake.settings", settings.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[..., Any] = module.Settings
    return made


NUMBERS = {
    "secret_expiry_alarm_days": (1, 365),
    "region_groups": (1, 40),
    "quota_calls": (1, 1000),
    "quota_window_minutes": (1, 1440),
    "quota_share_percent": (0, 100),
    "ondemand_refresh_hours": (0, 720),
    "price_every_minutes": (10, 1440),
    "eviction_every_minutes": (10, 1440),
    "catalogue_days": (1, 90),
    "eviction_max_fall_percent": (1, 100),
    "price_max_fall_percent": (1, 100),
    "minimum_coverage_percent": (0, 100),
    "rows_alarm_percent": (1, 1000),
    "unconfirmed_alarm_percent": (1, 100),
    "witness_alarm_percent": (1, 100),
    "score_age_alarm_hours": (1, 2000),
    "retire_after_days": (1, 365),
    "absent_looks": (1, 255),
    "absent_hours": (0, 2160),
    "retired_ttl_days": (1, 3650),
    "plan_effort_seconds": (0, 900),
    "function_metrics_every_hours": (1, 24),
}
WORDS: dict[str, tuple[str, ...]] = {
    "azure_sign_in": ("secret", "certificate", "federation"),
    "clock": ("wall", "run"),
    "azure_source": ("live", "simulated"),
    "name_casing": ("source", "lower"),
}


def test_numbers_are_taken_from_their_least_to_their_most(make: Callable[..., Any]) -> None:
    for name, (least, most) in NUMBERS.items():
        for good in (least, most):
            assert getattr(make(**{name: good}), name) == good
            assert getattr(make.from_environment({f"SPOTLAKE_{name.upper()}": str(good)}), name) == good  # type: ignore[attr-defined]
        for bad in (least - 1, most + 1):
            with says(ConfigurationError, f"setting {name}: {bad} is not allowed"):
                make(**{name: bad})


def test_words_are_those_that_are_known(make: Callable[..., Any]) -> None:
    for name, words in WORDS.items():
        for word in words:
            assert getattr(make(**{name: word}), name) == word
        with says(ConfigurationError, f"setting {name}: 'other' is not allowed"):
            make(**{name: "other"})


def test_every_setting_that_has_bounds_is_tried_here(make: Callable[..., Any]) -> None:
    fields = make.__dataclass_fields__  # type: ignore[attr-defined]
    numbers = {name for name, one in fields.items() if isinstance(one.default, int)}
    assert numbers == NUMBERS.keys()


@pytest.mark.parametrize("text", ["2027-11-23", "", "2027-11-23T00:00:00"])
def test_a_date_is_a_date(make: Callable[..., Any], text: str) -> None:
    if "T" in text:
        with says(ConfigurationError, f"setting secret_expires_at: {text!r} is not allowed"):
            make(secret_expires_at=text)
    else:
        assert make(secret_expires_at=text).secret_expires_at == text


def test_lists_are_read_without_blanks_and_empty_parts(make: Callable[..., Any]) -> None:
    read = make.from_environment({"SPOTLAKE_REGIONS": " eastus , ,westus,", "OTHER": "1"})  # type: ignore[attr-defined]
    assert read == make(regions=("eastus", "westus"))
    assert read.to_environment() == {"SPOTLAKE_REGIONS": "eastus,westus"}


def test_a_variable_that_cannot_be_read_is_named(make: Callable[..., Any]) -> None:
    said = "invalid literal for int() with base 10: 'ten'"
    with says(ConfigurationError, f"SPOTLAKE_QUOTA_CALLS: 'ten' cannot be read ({said})"):
        make.from_environment({"SPOTLAKE_QUOTA_CALLS": "ten"})  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"write_bucket": "spotlake"}, "setting write_bucket: 'spotlake' is the bucket that is only read"),
        ({"auth_store": "ssm"}, "setting auth_name: auth_store 'ssm' needs a name"),
        ({"auth_store": "secretsmanager"}, "setting auth_name: auth_store 'secretsmanager' needs a name"),
        ({"auth_store": "settings"},
         "setting auth_store: 'settings' goes with azure_sign_in=federation alone; a secret is no setting"),
        ({"auth_store": "other"}, "setting auth_store: 'other' is not allowed"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(
    make: Callable[..., Any], given: dict[str, str], said: str
) -> None:
    with says(ConfigurationError, said):
        make(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"auth_store": "table"},
        {"auth_store": "ssm", "auth_name": "a"},
        {"auth_store": "secretsmanager", "auth_name": "a"},
        {"auth_store": "settings", "azure_sign_in": "federation"},
        {"azure_sign_in": "federation"},
    ],
)
def test_settings_that_go_together_are_taken(make: Callable[..., Any], given: dict[str, str]) -> None:
    assert {name: getattr(make(**given), name) for name in given} == given
