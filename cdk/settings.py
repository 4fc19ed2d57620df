"""Settings of the stack: one frozen dataclass, read in one place from the context (``cdk.json``, ``-c name=value``).

Settings of the running code (``spotlake.settings.Settings``) are context values of the same names, with the defaults of
that class. A wrong value is refused before anything is built, in one sentence that names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

from spotlake.errors import ConfigurationError
from spotlake.settings import Settings

# Names that the stack never writes to, whatever the settings say.
PRODUCTION_BUCKET = "spotlake"
PRODUCTION_TABLES = ("azure", "AzureAuth")
PRODUCTION_LOG_GROUP = "Collection-Data-Count"

_DEFAULT_STAGE = "test"
# Defaults of the running code that hold the stage. Another stage gets other names.
_STAGED_NAMES = ("write_bucket", "workload_table", "control_table")
_MADE_BY_THE_STACK = ("stage", "topic_arn", "azure_role_arn")
_LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 180, 365)  # of those that CloudWatch Logs has (PutRetentionPolicy, 2026-11)


@dataclass(frozen=True, kw_only=True)
class FunctionSize:
    """Memory and time-out of a Lambda; the defaults are measured (docs/costs.md).

    Attributes:
        memory_mb: Memory, in MB.
        timeout_seconds: Time-out.
        reserved: Number of executions that AWS keeps for this function, and its most at once; 0: none. AWS leaves 100
            of an account unreserved, and new accounts have fewer than that in all (Lambda developer guide,
            "Configuring reserved concurrency" and "Lambda quotas", read 2026-11).
    """

    memory_mb: int
    timeout_seconds: int
    reserved: int = 0


FUNCTION_SIZES: Mapping[str, FunctionSize] = MappingProxyType(
    {
        "plan": FunctionSize(memory_mb=512, timeout_seconds=120),
        "sps": FunctionSize(memory_mb=192, timeout_seconds=240),
        "price": FunctionSize(memory_mb=160, timeout_seconds=240),
        "eviction": FunctionSize(memory_mb=160, timeout_seconds=120),
        "merge": FunctionSize(memory_mb=1024, timeout_seconds=540),
        "history": FunctionSize(memory_mb=1024, timeout_seconds=300),
        "report": FunctionSize(memory_mb=512, timeout_seconds=60),  # it needs the CPU, not the memory
        "notify": FunctionSize(memory_mb=256, timeout_seconds=30),
    }
)

COLLECTORS = ("sps", "price", "eviction")  # the Map invokes each of them once a region
_MOST_RESERVED = 900  # of the 1,000 that an account has by default; 100 stay free (as at FunctionSize, 2026-11)

_LEAST_HISTORY_SECONDS = 120
_STAGE = r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?"
# Scheduler user guide, schedule types, 2026-11.
_SCHEDULE = r"cron\((\S+ ){5}\S+\)|rate\([1-9]\d* (minute|hour|day)s?\)"
_BUCKET = ("a bucket name", r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 user guide, bucket naming rules, 2026-11
_TABLE = ("a table name of 3 to 255 characters", r"[A-Za-z0-9_.-]{3,255}")  # DynamoDB, naming rules, 2026-11
_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
_URL = ("a URL (https://...)", r"https?://\S+")
# Values of the running code that AWS would refuse in the middle of a deployment, or a run at its first call.
_RUNNING_TEXTS = MappingProxyType(
    {
        "write_bucket": _BUCKET,
        "workload_table": _TABLE,
        "control_table": _TABLE,
        "auth_table": _TABLE,
        "auth_region": ("an AWS region", _REGION),
        "auth_name": ("the name of a secret or of an SSM parameter", r"[A-Za-z0-9_./+=@-]*"),
        "azure_management_url": _URL,
        "azure_retail_url": _URL,
        "slack_webhook_parameter": ("the name of an SSM parameter", r"[A-Za-z0-9_./-]*"),
    }
)


def _flag(value: Any) -> bool:
    # Values of the command line are text.
    return {"true": True, "false": False}[str(value).lower()]


def _whole(value: Any) -> int:
    return int(str(value))


def _names(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else str(value).split(",")
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _sizes(value: Any) -> Mapping[str, FunctionSize]:
    """``{"merge": {"memory_mb": 2048}}`` laid over the defaults."""
    given = json.loads(value) if isinstance(value, str) else value
    changed = {
        name: FunctionSize(**{**asdict(FUNCTION_SIZES[name]), **{key: _whole(one) for key, one in changes.items()}})
        for name, changes in given.items()
    }
    return {**FUNCTION_SIZES, **changed}


def _fits(name: str, size: FunctionSize) -> bool:
    # Memory: AWS Lambda quotas, 2026-11. Time: the state machine gives up a little after the default.
    # KeepHistory begins no day with less than 90 s left, so with less than that it would never compact one.
    least = _LEAST_HISTORY_SECONDS if name == "history" else 1
    in_time = least <= size.timeout_seconds <= FUNCTION_SIZES[name].timeout_seconds
    return 128 <= size.memory_mb <= 10240 and in_time and 0 <= size.reserved <= _MOST_RESERVED


def _setting(
    default: Any, read: Callable[[Any], Any], allowed: str, fits: Callable[[Any], bool] = lambda _: True
) -> Any:
    return field(default=default, metadata={"read": read, "allowed": allowed, "fits": fits})


def _between(default: int, low: int, high: int) -> Any:
    return _setting(default, _whole, f"a whole number from {low} to {high}", lambda value: low <= value <= high)


def _switch(*, default: bool) -> Any:
    return _setting(default, _flag, "true or false")


def _text(default: str, allowed: str, pattern: str) -> Any:
    return _setting(default, str, allowed, lambda value: re.fullmatch(pattern, value) is not None)


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Settings of a deployment.

    Attributes:
        stage: Part of every name.
        create_bucket, create_table, create_control_table: False: use an existing bucket, workload table or control
            table of that name, without changing it.
        deletion_protection: Whether the tables are protected from deletion.
        table_write_units, table_read_units: Provisioned units of the workload table; writes 0: pay by request.
        aws_region: AWS region; empty: that of the credentials at deploy time.
        schedule_enabled: Whether a run starts every ten minutes.
        schedule_expression: Expression of EventBridge Scheduler, in UTC.
        architecture: "arm64" or "x86_64", for Lambdas, their layer and the Batch machines.
        functions: Memory, time-out and reserved concurrency by function. A given value replaces that default alone.
        log_level: Log level of functions and job.
        map_concurrency: Number of regions collected side by side, in all groups together (an inline Map runs at most
            40; AWS quotas, 2026-11).
        map_children: What collects a group of regions: an EXPRESS workflow, or a STANDARD one, which shows every step
            in the console and costs more.
        vpc_id, subnet_ids: VPC and subnets of Batch machines; empty: a small public-only VPC of the stack.
        image_uri: URI of the full run's image; empty: the stack's own repository, which ``make image`` fills.
        image_from_dockerfile: Whether to build the image while deploying, which needs a container engine.
        batch_max_vcpus: Largest number of vCPUs at once.
        batch_vcpus, batch_memory_mb, batch_timeout_seconds: Limits of one attempt of a full run.
        log_retention_days: Days that every log group keeps its logs.
        rawdata_expire_days: Days that raw data is kept; 0: for ever.
        snapshot_expire_days: Days that snapshots are kept, which the change history can make again; 0: for ever.
        old_version_days: Days that overwritten versions of objects are kept.
        athena_enabled: Whether Athena has tables of the change history, and a workgroup.
        budget_usd: Monthly bill of the account, in USD, that sends a mail to alert_email; 0: no mail.
        alert_email: Address that is subscribed to the topic; empty: none.
        running: Settings of the running code.
    """

    stage: str = _text(_DEFAULT_STAGE, "up to 16 lower-case letters, digits and hyphens (no hyphen at an end)", _STAGE)
    create_bucket: bool = _switch(default=True)
    create_table: bool = _switch(default=True)
    create_control_table: bool = _switch(default=True)
    deletion_protection: bool = _switch(default=True)
    table_write_units: int = _between(0, 0, 40_000)  # DynamoDB quotas of a table, 2026-11
    table_read_units: int = _between(5, 1, 40_000)
    aws_region: str = _text("", "an AWS region", rf"({_REGION})?")
    schedule_enabled: bool = _switch(default=False)
    schedule_expression: str = _text("cron(0/10 * * * ? *)", "cron(six fields) or rate(10 minutes)", _SCHEDULE)
    architecture: str = _text("arm64", "arm64 or x86_64", "arm64|x86_64")
    functions: Mapping[str, FunctionSize] = _setting(
        FUNCTION_SIZES,
        _sizes,
        "memory_mb (128 to 10240), timeout_seconds (1 to the default, of history from 120) or "
        f"reserved (0 to {_MOST_RESERVED}) by {', '.join(FUNCTION_SIZES)}",
        lambda sizes: all(_fits(name, size) for name, size in sizes.items()),
    )
    log_level: str = _text("INFO", "DEBUG, INFO, WARNING or ERROR", "DEBUG|INFO|WARNING|ERROR")
    map_concurrency: int = _between(20, 1, 40)
    map_children: str = _text("EXPRESS", "EXPRESS or STANDARD", "EXPRESS|STANDARD")
    vpc_id: str = _text("", "vpc-...", r"(vpc-\w+)?")
    subnet_ids: tuple[str, ...] = _setting(
        (), _names, "subnet-..., comma separated", lambda names: all(name.startswith("subnet-") for name in names)
    )
    image_uri: str = _text("", "repository:tag or repository@digest", r"(\S+/\S+[:@]\S+)?")
    image_from_dockerfile: bool = _switch(default=False)
    batch_max_vcpus: int = _between(4, 1, 256)
    batch_vcpus: int = _between(1, 1, 16)
    batch_memory_mb: int = _between(1024, 256, 30720)
    batch_timeout_seconds: int = _between(3600, 300, 8400)
    log_retention_days: int = _setting(30, _whole, f"one of {_LOG_DAYS}", _LOG_DAYS.__contains__)
    rawdata_expire_days: int = _between(0, 0, 3650)
    snapshot_expire_days: int = _between(0, 0, 3650)
    old_version_days: int = _between(3, 1, 365)
    athena_enabled: bool = _switch(default=False)
    budget_usd: int = _between(25, 0, 100000)
    alert_email: str = _text("", "a mail address", r"([^@\s]+@[^@\s]+)?")
    running: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other or would write to production."""
        if self.running.write_bucket == PRODUCTION_BUCKET:
            raise ConfigurationError(f"setting write_bucket: {PRODUCTION_BUCKET!r} is production's, which is only read")
        for name in ("workload_table", "control_table"):
            table = getattr(self.running, name)
            if table in (*PRODUCTION_TABLES, self.running.auth_table):
                raise ConfigurationError(f"setting {name}: {table!r} is production's, which is only read")
        for name, (allowed, pattern) in _RUNNING_TEXTS.items():
            if not re.fullmatch(pattern, text := getattr(self.running, name)):
                raise ConfigurationError(f"setting {name}: {text!r} is not allowed; give {allowed}")
        if self.running.workload_table == self.running.control_table:
            raise ConfigurationError("settings workload_table and control_table: give two tables")
        if self.batch_vcpus > self.batch_max_vcpus:
            raise ConfigurationError(
                f"setting batch_vcpus: {self.batch_vcpus} is more than batch_max_vcpus ({self.batch_max_vcpus}), so no "
                "machine would take the job"
            )
        self._check_reserved()
        if bool(self.subnet_ids) != bool(self.vpc_id):
            raise ConfigurationError("settings vpc_id and subnet_ids: give both or neither")
        if self.image_uri and self.image_from_dockerfile:
            raise ConfigurationError("settings image_uri and image_from_dockerfile: give one of them")

    def _check_reserved(self) -> None:
        for name in COLLECTORS:
            if 0 < (reserved := self.functions[name].reserved) < self.map_concurrency:
                raise ConfigurationError(
                    f"setting functions: {reserved} reserved executions of {name} are fewer than map_concurrency "
                    f"({self.map_concurrency}), so AWS would refuse regions; give more, or 0"
                )

    @property
    def stack_name(self) -> str:
        """``spotlake-azure-test``: the beginning of every name in the account."""
        return f"spotlake-azure-{self.stage}"

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read all settings from a CDK context. Keys of the CDK itself (with ":" or "@") are skipped.

        Raises:
            ConfigurationError: A name that does not exist, or a value that is not allowed.
        """
        own = {one.name: one for one in fields(cls) if one.name != "running"}
        code = {one.name for one in fields(Settings)}.difference(_MADE_BY_THE_STACK)
        given = {name: value for name, value in context.items() if not re.search("[:@]", name)}
        for name in given:
            if name not in own and name not in code:
                raise ConfigurationError(f"setting {name}: unknown; there are {', '.join(sorted({*own, *code}))}")
        values = {name: _read(own[name], given[name]) for name in own if name in given}
        stage = values.get("stage", _DEFAULT_STAGE)
        return cls(**values, running=_read_running(stage, {name: given[name] for name in code if name in given}))


def _read(one: Any, given: Any) -> Any:
    """A context value in the type of its setting.

    Raises ConfigurationError that names setting, value and allowed values.
    """
    try:
        value = one.metadata["read"](given)
        fits = one.metadata["fits"](value)
    except (ValueError, TypeError, KeyError, AttributeError):
        fits = False
    if not fits:
        raise ConfigurationError(f"setting {one.name}: {given!r} is not allowed; give {one.metadata['allowed']}")
    return value


def _read_running(stage: str, given: Mapping[str, Any]) -> Settings:
    """The settings of the running code. Default names that hold the stage get this stage."""
    defaults = {one.name: one.default for one in fields(Settings)}
    texts = {name: str(defaults[name]).replace(_DEFAULT_STAGE, stage) for name in _STAGED_NAMES}
    texts |= {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in given.items()}
    environment = {f"SPOTLAKE_{name.upper()}": text for name, text in {**texts, "stage": stage}.items()}
    try:
        return Settings.from_environment(environment)
    except ConfigurationError as error:
        text = re.sub(r"^SPOTLAKE_(\w+):", lambda match: f"setting {match[1].lower()}:", str(error))
        raise ConfigurationError(text) from None
