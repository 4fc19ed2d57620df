"""Settings of the stack: one frozen dataclass, read from the context (``cdk.json``, ``-c name=value``).

Settings of the running code (``spotlake.settings.Settings``) are context values of the same names; what
stands here besides is infrastructure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

from spotlake.errors import ConfigurationError
from spotlake.settings import Settings

_TRUE, _FALSE = ("true", "True", True), ("false", "False", False)


@dataclass(frozen=True, kw_only=True)
class FunctionSize:
    """Memory and time-out of a Lambda; the defaults are measured (docs/costs.md)."""

    memory_mb: int
    timeout_seconds: int


FUNCTION_SIZES = {
    "plan": FunctionSize(memory_mb=512, timeout_seconds=120),
    "sps": FunctionSize(memory_mb=256, timeout_seconds=540),
    "price": FunctionSize(memory_mb=256, timeout_seconds=540),
    "eviction": FunctionSize(memory_mb=256, timeout_seconds=300),
    "merge": FunctionSize(memory_mb=1024, timeout_seconds=540),
    "report": FunctionSize(memory_mb=256, timeout_seconds=60),
    "notify": FunctionSize(memory_mb=256, timeout_seconds=30),
}


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What a deployment can choose.

    Attributes:
        stage: Goes into every name but the two that readers know (bucket, workload table).
        create_bucket, create_table: False uses existing ones of those names.
        deletion_protection: Of the tables.
        aws_region: Empty: that of the credentials at deploy time.
        schedule_enabled: Whether a run starts every ten minutes.
        schedule_expression: EventBridge Scheduler's own form.
        architecture: "arm64" or "x86_64"; of Lambdas, their layer and the Batch fleet.
        map_concurrency: Regions collected side by side.
        subnet_ids, vpc_id: Where Batch machines run; empty: a small public-only VPC of its own.
        image_uri: Of the full run's image; empty: the stack's own repository (``make image`` fills it).
        batch_max_vcpus: At most so many at once.
        batch_vcpus, batch_memory_mb, batch_timeout_seconds: Of one full run.
        log_retention_days: Of every log group.
        rawdata_expire_days: 0 keeps raw data for ever.
        alert_email: Subscribed to the topic; empty: nobody.
        running: Settings of the code.
    """

    stage: str = "test"
    create_bucket: bool = True
    create_table: bool = True
    deletion_protection: bool = True
    aws_region: str = ""
    schedule_enabled: bool = False
    schedule_expression: str = "cron(0/10 * * * ? *)"
    architecture: str = "arm64"
    map_concurrency: int = 20
    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    image_uri: str = ""
    batch_max_vcpus: int = 4
    batch_vcpus: int = 1
    batch_memory_mb: int = 1024
    batch_timeout_seconds: int = 3600
    log_retention_days: int = 30
    rawdata_expire_days: int = 0
    alert_email: str = ""
    running: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Refuse what cannot be deployed, in one sentence."""
        if self.architecture not in ("arm64", "x86_64"):
            raise ConfigurationError(f"setting architecture: {self.architecture!r} is not arm64 or x86_64")
        if not self.stage.replace("-", "").isalnum() or not self.stage.islower():
            raise ConfigurationError(f"setting stage: {self.stage!r} is not lower-case letters, digits and hyphens")
        if bool(self.subnet_ids) != bool(self.vpc_id):
            raise ConfigurationError("settings vpc_id and subnet_ids: give both or neither")
        if not self.schedule_expression.startswith(("cron(", "rate(", "at(")):
            raise ConfigurationError(f"setting schedule_expression: {self.schedule_expression!r} is not cron(...), "
                                     "rate(...) or at(...)")  # fmt: skip
        for name in ("map_concurrency", "batch_max_vcpus", "batch_vcpus", "batch_memory_mb", "log_retention_days"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"setting {name}: {getattr(self, name)} is not at least 1")

    @property
    def stack_name(self) -> str:
        """``spotlake-azure-test``."""
        return f"spotlake-azure-{self.stage}"

    @classmethod
    def from_context(cls, context: Callable[[str], Any]) -> Self:
        """Read every known name from the context. Raises ConfigurationError naming the wrong one."""
        own = {
            one.name: _read(one.name, context(one.name), one.default)
            for one in fields(cls)
            if one.name != "running" and context(one.name) is not None
        }
        stage = own.get("stage", "test")
        environment = {} if stage == "test" else {"SPOTLAKE_CONTROL_TABLE": f"spotlake-azure-{stage}-control"}
        for one in fields(Settings):
            value = context(one.name)
            if value is not None:
                environment[f"SPOTLAKE_{one.name.upper()}"] = _text(value)
        return cls(**own, running=Settings.from_environment(environment))


def _read(name: str, value: Any, default: Any) -> Any:
    """A context value as its setting's type; on the command line everything is text."""
    if isinstance(default, bool):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise ConfigurationError(f"setting {name}: {value!r} is not true or false")
    if isinstance(default, int):
        try:
            return int(value)
        except (TypeError, ValueError):
            raise ConfigurationError(f"setting {name}: {value!r} is not a whole number") from None
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, list) else tuple(part for part in str(value).split(",") if part)
    return str(value)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
