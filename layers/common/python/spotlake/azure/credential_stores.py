"""Where our identity in Azure is kept: table AzureAuth, Secrets Manager, SSM, or (without any secret) the settings."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from spotlake.azure.credentials import AzureCredentials, SignInMethod, credentials_of
from spotlake.errors import ConfigurationError
from spotlake.secrecy import keep_secret
from spotlake.settings import Settings
from spotlake.stores.aws_errors import code_of

if TYPE_CHECKING:
    from spotlake.stores.aws_clients import MakesClients

ASSERTION_SECONDS = 300  # it is used at once
_CACHE_SECONDS = 60
_SESSION_SECONDS = 900  # the shortest that AssumeRole gives


def place_of(settings: Settings) -> str:
    """Where the credentials are kept, as errors and `spotlake doctor` name it."""
    return {
        "table": f"item {settings.auth_item!r} of table {settings.auth_table!r}",
        "secretsmanager": f"secret {settings.auth_name!r} of Secrets Manager",
        "ssm": f"parameter {settings.auth_name!r} of SSM",
        "settings": "the settings azure_tenant_id, azure_client_id and azure_subscriptions",
    }[settings.auth_store]


def read_credentials(session: MakesClients, settings: Settings, config: Config | None = None) -> AzureCredentials:
    """Read and check the credentials that the settings name.

    The table is read consistently, so that a rotated secret counts at once. Secrets Manager and SSM are read through
    Powertools Parameters, which keeps a value for a minute.

    Raises:
        ConfigurationError: The record is missing, cannot be read, or a field of it is wrong.
    """
    place = place_of(settings)
    try:
        record = _STORES[settings.auth_store](session, settings, config)
    except (ClientError, BotoCoreError) as error:
        raise ConfigurationError(f"cannot read {place} (region {settings.auth_region}): {code_of(error)}") from error
    method = SignInMethod(settings.azure_sign_in)
    return credentials_of(record, place, method, expires=settings.secret_expires_at)


def _from_table(session: MakesClients, settings: Settings, config: Config | None) -> dict[str, str]:
    """Production's form: ``{"id": item, "data": {"tenant_id", "client_id", "client_secret", "subscriptions"}}``."""
    client = session.client("dynamodb", region_name=settings.auth_region, config=config)
    key = {"id": {"S": settings.auth_item}}
    item = client.get_item(TableName=settings.auth_table, Key=key, ConsistentRead=True).get("Item")
    data = item.get("data", {}).get("M", {}) if item else {}
    return {name: str(value.get("S", "")) for name, value in data.items()}


@functools.lru_cache(maxsize=4)  # a provider keeps what it read, so it has to outlive one read
def _provider(session: Any, store: str, region: str, config: Config | None) -> Any:
    from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider  # 0.05 s, for those who need it

    if store == "ssm":
        return SSMProvider(boto3_client=session.client("ssm", region_name=region, config=config))
    return SecretsProvider(boto3_client=session.client("secretsmanager", region_name=region, config=config))


def _from_provider(session: MakesClients, settings: Settings, config: Config | None) -> Mapping[str, str]:
    """A JSON object of texts: the map `data` of AzureAuth."""
    from aws_lambda_powertools.utilities.parameters import GetParameterError

    kept: Any = session  # a key of the cache
    provider = _provider(kept, settings.auth_store, settings.auth_region, config)
    options = {"decrypt": True} if settings.auth_store == "ssm" else {}
    try:
        text = provider.get(settings.auth_name, max_age=_CACHE_SECONDS, **options)
    except GetParameterError as error:
        if isinstance(error.__context__, ClientError | BotoCoreError):
            raise error.__context__ from None
        raise ConfigurationError(f"cannot read {place_of(settings)}: {type(error).__name__}") from None
    try:
        record = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        record = None
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        # Not chained: the text of a JSON error holds the value.
        raise ConfigurationError(f"{place_of(settings)} is not a JSON object of texts") from None
    return record


def _from_settings(_: MakesClients, settings: Settings, __: Config | None) -> dict[str, str]:
    return {
        "tenant_id": settings.azure_tenant_id,
        "client_id": settings.azure_client_id,
        "subscriptions": ",".join(settings.azure_subscriptions),
    }


_STORES: Mapping[str, Callable[..., Mapping[str, str]]] = {
    "table": _from_table,
    "secretsmanager": _from_provider,
    "ssm": _from_provider,
    "settings": _from_settings,
}


def signed_assertion(session: MakesClients, settings: Settings, config: Config | None = None) -> str:
    """A statement of who we are, signed by AWS, which Entra takes in place of a secret.

    ``sts:GetWebIdentityToken`` returns a JWT whose subject is the ARN of the calling role. The global endpoint of STS
    does not have it (STS API reference, GetWebIdentityToken, read 2026-11). The role of the setting
    ``azure_role_arn`` is taken first, so that every function has the same subject.

    Raises:
        ConfigurationError: AWS gives no statement: federation is off for the account, or a right is missing.
    """
    try:
        sts = session.client("sts", region_name=session.region_name, config=config)
        if settings.azure_role_arn:
            taken = sts.assume_role(
                RoleArn=settings.azure_role_arn, RoleSessionName="spotlake", DurationSeconds=_SESSION_SECONDS
            )["Credentials"]
            sts = session.client(
                "sts",
                region_name=session.region_name,
                config=config,
                aws_access_key_id=taken["AccessKeyId"],
                aws_secret_access_key=taken["SecretAccessKey"],
                aws_session_token=taken["SessionToken"],
            )
        found = sts.get_web_identity_token(
            Audience=[settings.azure_audience], SigningAlgorithm="RS256", DurationSeconds=ASSERTION_SECONDS
        )
    except (ClientError, BotoCoreError) as error:
        what = error.operation_name if isinstance(error, ClientError) else "sts"
        way_out = "`aws iam enable-outbound-web-identity-federation`, and the rights in docs/deploying.md"
        raise ConfigurationError(f"AWS signs no statement for Azure ({what}: {code_of(error)}): {way_out}") from error
    keep_secret(str(found["WebIdentityToken"]))
    return str(found["WebIdentityToken"])
