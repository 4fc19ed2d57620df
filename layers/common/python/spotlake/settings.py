"""Settings of the running code: one frozen dataclass, read from ``SPOTLAKE_*`` environment variables.

The CDK app writes the variables with ``to_environment``; the code reads them with ``from_environment``. Both sides use
the defaults of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
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


def _is_date(text: str) -> bool:
    try:
        return not text or bool(date.fromisoformat(text))
    except ValueError:
        return False


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
        auth_store: Where the Azure credentials are kept: "table", "secretsmanager", "ssm", or "settings" (federation
            alone, which has no secret).
        auth_table, auth_item: Table and item of the credentials (only read).
        auth_name: Name of the secret or parameter.
        auth_region: AWS region of the table, secret or parameter.
        azure_sign_in: Proof of who we are: "secret", "certificate" or "federation".
        azure_tenant_id, azure_client_id, azure_subscriptions: With auth_store "settings".
        azure_audience: With "federation": the audience that the application's federated credential names.
        azure_role_arn: With "federation": role whose ARN is our name towards Azure; empty: the code's own role.
        secret_expires_at: Date on which the client secret ends, where the stored record does not say it.
        secret_expiry_alarm_days: Days before the end of the secret or certificate that raise an alarm.
        clock: "wall", or "run" for local runs whose slots follow each other at once.
        azure_source: "live" or "simulated"; every row holds it.
        azure_management_url, azure_retail_url: Base URLs of the APIs.
        azure_authority_url, azure_ca_file: Another token endpoint than Microsoft's, and the certificate file of its
            authority.
        regions, instance_types: Collect only these (ARM codes; globs of ARM sizes). Empty: all.
        region_groups: Number of groups that an attempt's regions are collected in, each as a workflow of its own.
        priority_regions, priority_instance_types: Scores of these wait half as long when quota is short.
        quota_calls: Placement-score calls per route in a window.
        quota_window_minutes: Length of the sliding window (Azure's hour, and two minutes for safety).
        quota_share_percent: Our share of the quota. 0: half if production uses the quota too, else all.
        ondemand_refresh_hours: Hours after which on-demand prices are asked again.
        price_every_minutes, eviction_every_minutes: Minutes between two listings of a region. A listing that is not
            due is not asked, and its values keep the time at which they were last confirmed.
        catalogue_days: Days that a pair stays in the catalogue after its last listing.
        eviction_max_fall_percent: Largest fall of eviction rows that is believed.
        price_max_fall_percent: Largest fall of a region's spot prices that is believed.
        minimum_coverage_percent: A run with a lower coverage fails, after its data is merged. Coverage is the mean over
            the three data sets, so with the default one data set may be missing.
        rows_alarm_percent: Difference from the day before, in rows of a data set, that raises an alarm.
        unconfirmed_alarm_percent: More pairs than this whose price the listings did not confirm raise an alarm. On the
            first two days of a month some 5 % have no spot price.
        witness_alarm_percent: More sizes of a region than this whose price Resource Graph contradicts raise an alarm.
        score_age_alarm_hours: Age of a score that raises an alarm. With one subscription every score is asked again
            after about 40 hours.
        retire_after_days: A workload that was looked for on so many days and not there is retired.
        absent_looks: A price or rate that so many listings in a row did not show becomes unknown.
        absent_hours: The first of those listings must be so long ago.
        retired_ttl_days: Days after which a retired item is removed.
        name_casing: Casing of sizes: "source", as production's readers compare, or "lower".
        plan_effort_seconds: Seconds that the full run may spend on improving the call plan.
        function_metrics_every_hours: In one hour of so many, memory and duration of functions are metrics, which
            CloudWatch charges by the hour; in the others they are properties of the same log line.
        data_licence: Licence of the collected data, as an SPDX name, which ``datapackage.json`` states.
        topic_arn: SNS topic for failures and recoveries; empty: none.
        slack_webhook_parameter: Name of a secure SSM parameter; empty: none.
    """

    stage: str = _setting("test", str)
    read_bucket: str = _setting("spotlake", str)
    write_bucket: str = _setting("spotlake-test", str)
    workload_table: str = _setting("azure-test", str)
    control_table: str = _setting("spotlake-azure-test-control", str)
    auth_store: str = _setting("table", str, _one_of("table", "secretsmanager", "ssm", "settings"))
    auth_table: str = _setting("AzureAuth", str)
    auth_region: str = _setting("us-east-1", str)
    auth_item: str = _setting("login_auth_az_true", str)
    auth_name: str = _setting("", str)
    azure_sign_in: str = _setting("secret", str, _one_of("secret", "certificate", "federation"))
    azure_tenant_id: str = _setting("", str)
    azure_client_id: str = _setting("", str)
    azure_subscriptions: tuple[str, ...] = _setting((), _names)
    azure_audience: str = _setting("api://AzureADTokenExchange", str)
    azure_role_arn: str = _setting("", str)
    secret_expires_at: str = _setting("", str, _is_date)
    secret_expiry_alarm_days: int = _setting(30, int, _between(1, 365))
    clock: str = _setting("wall", str, _one_of("wall", "run"))
    azure_source: str = _setting("live", str, _one_of("live", "simulated"))
    azure_management_url: str = _setting("https://management.azure.com", str)
    azure_retail_url: str = _setting("https://prices.azure.com", str)
    azure_authority_url: str = _setting("", str)
    azure_ca_file: str = _setting("", str)
    regions: tuple[str, ...] = _setting((), _names)
    instance_types: tuple[str, ...] = _setting((), _names)
    region_groups: int = _setting(4, int, _between(1, 40))
    priority_regions: tuple[str, ...] = _setting((), _names)
    priority_instance_types: tuple[str, ...] = _setting((), _names)
    quota_calls: int = _setting(10, int, _between(1, 1000))
    quota_window_minutes: int = _setting(62, int, _between(1, 1440))
    quota_share_percent: int = _setting(0, int, _between(0, 100))
    ondemand_refresh_hours: int = _setting(24, int, _between(0, 720))
    price_every_minutes: int = _setting(10, int, _between(10, 1440))
    eviction_every_minutes: int = _setting(10, int, _between(10, 1440))
    catalogue_days: int = _setting(7, int, _between(1, 90))
    eviction_max_fall_percent: int = _setting(30, int, _between(1, 100))
    price_max_fall_percent: int = _setting(50, int, _between(1, 100))
    minimum_coverage_percent: int = _setting(50, int, _between(0, 100))
    rows_alarm_percent: int = _setting(30, int, _between(1, 1000))
    unconfirmed_alarm_percent: int = _setting(10, int, _between(1, 100))
    witness_alarm_percent: int = _setting(10, int, _between(1, 100))
    score_age_alarm_hours: int = _setting(72, int, _between(1, 2000))
    retire_after_days: int = _setting(14, int, _between(1, 365))
    absent_looks: int = _setting(6, int, _between(1, 255))
    absent_hours: int = _setting(6, int, _between(0, 24 * 90))
    retired_ttl_days: int = _setting(90, int, _between(1, 3650))
    name_casing: str = _setting("source", str, _one_of("source", "lower"))
    plan_effort_seconds: int = _setting(60, int, _between(0, 900))
    function_metrics_every_hours: int = _setting(1, int, _between(1, 24))
    data_licence: str = _setting("CC-BY-4.0", str)
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
        self._check_sign_in()

    def _check_sign_in(self) -> None:
        """Refuse settings of the sign-in that contradict each other."""
        if self.auth_store in ("secretsmanager", "ssm") and not self.auth_name:
            raise ConfigurationError(f"setting auth_name: auth_store {self.auth_store!r} needs a name")
        if self.auth_store == "settings" and self.azure_sign_in != "federation":
            raise ConfigurationError(
                "setting auth_store: 'settings' goes with azure_sign_in=federation alone; a secret is no setting"
            )

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
