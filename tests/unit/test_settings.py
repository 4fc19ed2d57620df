from __future__ import annotations

import pytest

from spotlake.errors import ConfigurationError
from spotlake.settings import Settings


def test_the_environment_gives_the_settings_back() -> None:
    settings = Settings(write_bucket="mine", regions=("koreacentral", "eastus"), quota_calls=4)
    assert Settings.from_environment(settings.to_environment()) == settings


def test_defaults_are_not_written() -> None:
    assert Settings().to_environment() == {}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPOTLAKE_QUOTA_CALLS", "ten"),
        ("SPOTLAKE_QUOTA_CALLS", "0"),
        ("SPOTLAKE_CLOCK", "sundial"),
        ("SPOTLAKE_NAME_CASING", "UPPER"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({variable: value})
    assert variable.removeprefix("SPOTLAKE_").lower() in str(refused.value).lower()
    assert value in str(refused.value)


def test_production_s_bucket_cannot_be_the_write_bucket() -> None:
    with pytest.raises(ConfigurationError, match="only read"):
        Settings(write_bucket="spotlake")
