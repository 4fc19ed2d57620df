"""The Lambda functions: one builder, a table of sizes, two layers, and one more of KeepHistory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.constructs.byte_code import compiled
from cdk.settings import FUNCTION_SIZES, StackSettings
from spotlake.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class Functions(Construct):
    """All functions by name: plan, sps, price, eviction, merge, history, report, notify."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings, topic: sns.ITopic) -> None:
        super().__init__(scope, name)
        self._settings = settings
        library, digest = compiled(ROOT / "layers/common", ROOT / "build/library")
        common = lambda_.Code.from_asset(str(library), asset_hash=digest, asset_hash_type=cdk.AssetHashType.CUSTOM)
        self._layers = [self._layer("Common", common), self._build_dependencies("dependencies")]
        self._own_layers = {"history": [self._build_dependencies("history")]}
        self.environment = {**settings.running.to_environment(), "LOG_LEVEL": settings.log_level}
        self.by_name = {one: self._build_function(one) for one in FUNCTION_SIZES}
        self.by_name["notify"].add_environment("SPOTLAKE_TOPIC_ARN", topic.topic_arn)

    def _build_function(self, name: str) -> lambda_.Function:
        size = self._settings.functions[name]
        function_name = f"{self._settings.stack_name}-{name}"
        group = logs.LogGroup(
            self,
            f"{name}-log",
            log_group_name=f"/aws/lambda/{function_name}",
            retention=retention(self._settings.log_retention_days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, f"{name}-role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group.grant_write(role)
        return lambda_.Function(
            self,
            name,
            function_name=function_name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=_ARCHITECTURES[self._settings.architecture],
            handler="handler.lambda_handler",
            code=lambda_.Code.from_asset(str(ROOT / "functions" / name), exclude=["__pycache__"]),
            layers=[*self._layers, *self._own_layers.get(name, ())],
            memory_size=size.memory_mb,
            timeout=cdk.Duration.seconds(size.timeout_seconds),
            environment=self.environment,
            log_group=group,
            role=role,
            # The state machine owns the retries of an invocation.
            retry_attempts=0,
            reserved_concurrent_executions=size.reserved or None,
            tracing=lambda_.Tracing.ACTIVE,
        )

    def _layer(self, name: str, code: lambda_.Code) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=code,
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[_ARCHITECTURES[self._settings.architecture]],
        )

    def _build_dependencies(self, name: str) -> lambda_.LayerVersion:
        architecture = self._settings.architecture
        folder = ROOT / f"build/layers/{name}-{architecture}"
        if not folder.exists():
            _make_layers(architecture)
        return self._layer(name.capitalize(), lambda_.Code.from_asset(str(folder)))


def _make_layers(architecture: str) -> None:
    """Build the layers of dependencies, as ``make`` does, for direct calls of the CDK CLI (``cdk bootstrap``)."""
    sys.stderr.write(f"making the layers of dependencies for {architecture} (once; some seconds)\n")
    command = [sys.executable, str(ROOT / "layers/build.py"), "--arch", architecture]
    done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if done.returncode:
        raise ConfigurationError(f"the layers for {architecture} cannot be made: its own words stand above")


def retention(days: int) -> logs.RetentionDays:
    """The retention of so many days. The settings accept only numbers that CloudWatch Logs offers."""
    return {
        1: logs.RetentionDays.ONE_DAY,
        3: logs.RetentionDays.THREE_DAYS,
        5: logs.RetentionDays.FIVE_DAYS,
        7: logs.RetentionDays.ONE_WEEK,
        14: logs.RetentionDays.TWO_WEEKS,
        30: logs.RetentionDays.ONE_MONTH,
        60: logs.RetentionDays.TWO_MONTHS,
        90: logs.RetentionDays.THREE_MONTHS,
        180: logs.RetentionDays.SIX_MONTHS,
        365: logs.RetentionDays.ONE_YEAR,
    }[days]
