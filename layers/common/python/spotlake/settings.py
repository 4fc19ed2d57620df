"""Settings of the running code: one frozen dataclass, read from ``SPOTLAKE_*`` environment variables.

The CDK app writes the variables with ``to_environment``; the code reads them with ``from_environment``. Both sides use
the defaults of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from spotlake.errors import ConfigurationError

_PREFIX = "SPOTLAKE_"


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _setting(default: Any, read: Callable[[str], Any], allowed: Callable[[Any], bool] = lambda _: True) -> Any:
    return field(default=default, metadata={"read": read, "allowed": allowed})


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: value in names


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings. Names carry units. Lists are comma separated in the environment.

    Attributes:
        stage: Name of the deployment, for log fields only.
        read_bucket: Production's bucket, which is only read. Empty, or a bucket that cannot be read: there is no
            production.
        write_bucket: Name of our bucket.
        workload_table: Name of the table with one item per workload.
        control_table: Name of the table with claims, quota ledger and turns.
        auth_table, auth_region, auth_item: Table, region and item of the Azure credentials (only read).
        clock: "wall", or "run" for local runs whose slots follow each other at once.
        azure_source: "live" or "simulated"; every row holds it.
        azure_management_url, azure_retail_url: Base URLs of the APIs.
        azure_authority_url, azure_ca_file: Another token endpoint than Microsoft's, and the certificate file of its
            authority.
        regions, instance_types: Collect only these (ARM codes; globs of ARM sizes). Empty: all.
        priority_regions, priority_instance_types: Whose scores wait half as long when quota is short.
        quota_calls: Placement-score calls per (subscription, routing location) in a window.
        quota_window_minutes: The sliding window (Azure's hour, and two minutes to be safe).
        quota_share_percent: Our share of it; 0 = half beside a production that uses it too, else all.
        ondemand_refresh_hours: On-demand prices are asked again after so long.
        catalogue_days: A pair stays in the catalogue so long after it was last listed.
        eviction_max_fall_percent: A larger fall of eviction rows than this is not believed.
        price_max_fall_percent: The same for spot prices of a region.
        minimum_coverage_percent: Less than this ends a run as failed (after merging what there is). It is the
            mean over the three data sets, so the default lets one of them be out without failing runs.
        rows_alarm_percent: A data set whose rows differ by more from those of a day before raises an alarm.
        unconfirmed_alarm_percent: More pairs than this whose price the listings did not confirm raise an alarm. On the
            first two days of a month some 5 % have no spot price.
        witness_alarm_percent: More sizes of a region than this whose price Resource Graph contradicts raise an alarm.
        score_age_alarm_hours: A score older than this raises an alarm. With one subscription every count of every
            pair is asked again after about 40 hours.
        retire_after_days: A workload that was not listed so long is retired.
        retired_ttl_days: A retired item is removed so long after.
        name_casing: "source" as production's readers compare, or "lower".
        plan_effort_seconds: How long the full run may improve the call plan.
        topic_arn: SNS topic for failures and recoveries; empty: none.
        slack_webhook_parameter: Name of a secure SSM parameter; empty: none.
    """

    stage: str = _setting("test", str)
    read_bucket: str = _setting("spotlake", str)
    write_bucket: str = _setting("spotlake-test", str)
    workload_table: str = _setting("azure-test", str)
    control_table: str = _setting("spotlake-azure-test-control", str)
    auth_table: str = _setting("AzureAuth", str)
    auth_region: str = _setting("us-east-1", str)
    auth_item: str = _setting("login_auth_az_true", str)
    clock: str = _setting("wall", str, _one_of("wall", "run"))
    azure_source: str = _setting("live", str, _one_of("live", "simulated"))
    azure_management_url: str = _setting("https://management.azure.com", str)
    azure_retail_url: str = _setting("https://prices.azure.com", str)
    azure_authority_url: str = _setting("", str)
    azure_ca_file: str = _setting("", str)
    regions: tuple[str, ...] = _setting((), _names)
    instance_types: tuple[str, ...] = _setting((), _names)
    priority_regions: tuple[str, ...] = _setting((), _names)
    priority_instance_types: tuple[str, ...] = _setting((), _names)
    quota_calls: int = _setting(10, int, _between(1, 1000))
    quota_window_minutes: int = _setting(62, int, _between(1, 1440))
    quota_share_percent: int = _setting(0, int, _between(0, 100))
    ondemand_refresh_hours: int = _setting(24, int, _between(0, 720))
    catalogue_days: int = _setting(7, int, _between(1, 90))
    eviction_max_fall_percent: int = _setting(30, int, _between(1, 100))
    price_max_fall_percent: int = _setting(50, int, _between(1, 100))
    minimum_coverage_percent: int = _setting(50, int, _between(0, 100))
    rows_alarm_percent: int = _setting(30, int, _between(1, 1000))
    unconfirmed_alarm_percent: int = _setting(10, int, _between(1, 100))
    witness_alarm_percent: int = _setting(10, int, _between(1, 100))
    score_age_alarm_hours: int = _setting(72, int, _between(1, 2000))
    retire_after_days: int = _setting(14, int, _between(1, 365))
    retired_ttl_days: int = _setting(90, int, _between(1, 3650))
    name_casing: str = _setting("source", str, _one_of("source", "lower"))
    plan_effort_seconds: int = _setting(60, int, _between(0, 900))
    topic_arn: str = _setting("", str)
    slack_webhook_parameter: str = _setting("", str)

    def __post_init__(self) -> None:
        """Refuse values out of range and a write bucket that is production's."""
        for one in fields(self):
            value = getattr(self, one.name)
            if not one.metadata["allowed"](value):
                raise ConfigurationError(f"setting {one.name}: {value!r} is not allowed")
        if self.read_bucket == self.write_bucket:
            raise ConfigurationError(f"setting write_bucket: {self.write_bucket!r} is the bucket that is only read")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read ``SPOTLAKE_<NAME>`` variables. A missing variable has its default.

        Raises:
            ConfigurationError: Names the variable and its value.
        """
        values: dict[str, Any] = {}
        for one in fields(cls):
            variable = _PREFIX + one.name.upper()
            if variable in environment:
                try:
                    values[one.name] = one.metadata["read"](environment[variable])
                except ValueError as error:
                    raise ConfigurationError(
                        f"{variable}: {environment[variable]!r} cannot be read ({error})"
                    ) from None
        return cls(**values)

    def to_environment(self) -> dict[str, str]:
        """The variables that ``from_environment`` reads these settings from, without defaults."""
        return {
            _PREFIX + one.name.upper(): _written(getattr(self, one.name))
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
