"""Where credentials are kept: each store's documented request, refusals by name, and AWS's statement for federation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from spotlake.azure import credential_stores
from spotlake.azure.credential_stores import place_of, read_credentials, signed_assertion
from spotlake.azure.credentials import SignInMethod
from spotlake.errors import ConfigurationError
from spotlake.secrecy import scrubbed
from spotlake.settings import Settings
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

TENANT, CLIENT, SUB = (f"{digit}0000000-0000-4000-8000-000000000000" for digit in "123")
RECORD = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": "s3cret", "subscriptions": SUB}
CONFIG: Any = object()


class Session:
    """Hands out clients by script, and notes what it is asked for."""

    region_name = "us-west-2"

    def __init__(self, *clients: Any) -> None:
        self.clients, self.asked = list(clients), list[tuple[str, dict[str, Any]]]()

    def client(self, service: str, **options: Any) -> Any:
        self.asked.append((service, options))
        return self.clients.pop(0)


@pytest.fixture(autouse=True)
def _no_kept_values() -> Iterator[None]:
    credential_stores._provider.cache_clear()
    yield
    credential_stores._provider.cache_clear()


def read(stub: Any, settings: Settings) -> tuple[Any, Session]:
    session: Any = Session(getattr(stub, "client", stub))
    return read_credentials(session, settings, CONFIG), session


TABLE = Settings(auth_region="eu-west-1", secret_expires_at="2027-11-23")
GET_ITEM = {"TableName": "AzureAuth", "Key": {"id": {"S": "login_auth_az_true"}}, "ConsistentRead": True}


def test_the_table_holds_a_map_of_texts() -> None:
    data = {name: {"S": text} for name, text in RECORD.items()}
    with Stubbed("dynamodb").answers(
        "get_item", GET_ITEM, {"Item": {"data": {"M": {**data, "odd": {"N": "1"}}}}}
    ) as stub:
        found, session = read(stub, TABLE)
    assert (found.tenant_id, found.client_id, found.client_secret) == (TENANT, CLIENT, "s3cret")
    assert (found.subscriptions, found.method, found.expires_at.year) == ((SUB,), SignInMethod.SECRET, 2027)
    assert session.asked == [("dynamodb", {"region_name": "eu-west-1", "config": CONFIG})]


@pytest.mark.parametrize("answer", [{}, {"Item": {"id": {"S": "x"}}}, {"Item": {"data": {"S": "text"}}}])
def test_an_item_without_a_map_lacks_everything(answer: dict[str, Any]) -> None:
    said = "item 'login_auth_az_true' of table 'AzureAuth' lacks tenant_id, client_id, client_secret, subscriptions"
    with Stubbed("dynamodb").answers("get_item", GET_ITEM, answer) as stub, says(ConfigurationError, said):
        read(stub, TABLE)


SECRETS = Settings(auth_store="secretsmanager", auth_name="azure", auth_region="eu-west-1")
SSM = Settings(auth_store="ssm", auth_name="/azure", auth_region="eu-west-1")
ASKED: dict[str, dict[str, Any]] = {
    "secretsmanager": {"SecretId": "azure"},
    "ssm": {"Name": "/azure", "WithDecryption": True},
}
OPERATION = {"secretsmanager": "get_secret_value", "ssm": "get_parameter"}


def value(store: str, text: str) -> dict[str, Any]:
    return {"SecretString": text} if store == "secretsmanager" else {"Parameter": {"Value": text}}


@pytest.mark.parametrize("settings", [SECRETS, SSM], ids=["secretsmanager", "ssm"])
def test_a_store_by_name_holds_json_and_is_asked_once_a_minute(settings: Settings) -> None:
    store = settings.auth_store
    stub = Stubbed(store).answers(OPERATION[store], ASKED[store], value(store, json.dumps(RECORD)))
    with stub:
        session: Any = Session(stub.client)
        first = read_credentials(session, settings, CONFIG)
        assert read_credentials(session, settings, CONFIG) == first
    assert (first.client_secret, first.subscriptions) == ("s3cret", (SUB,))
    assert session.asked == [(store, {"region_name": "eu-west-1", "config": CONFIG})]


@pytest.mark.parametrize("text", ["s3cret", "[1]", "null", '{"tenant_id": 7, "client_id": "s3cret"}', "[" * 100_000])
@pytest.mark.parametrize(
    ("settings", "place"),
    [(SECRETS, "secret 'azure' of Secrets Manager"), (SSM, "parameter '/azure' of SSM")],
    ids=["secretsmanager", "ssm"],
)
def test_a_value_that_is_no_object_of_texts_is_not_shown(settings: Settings, place: str, text: str) -> None:
    store = settings.auth_store
    stub = Stubbed(store).answers(OPERATION[store], ASKED[store], value(store, text))
    with stub, says(ConfigurationError, f"{place} is not a JSON object of texts") as raised:
        read(stub, settings)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("settings", "operation", "asked", "code", "place"),
    [
        (TABLE, "get_item", GET_ITEM, "AccessDeniedException", "item 'login_auth_az_true' of table 'AzureAuth'"),
        (
            SECRETS,
            "get_secret_value",
            ASKED["secretsmanager"],
            "DecryptionFailure",
            "secret 'azure' of Secrets Manager",
        ),
        (SSM, "get_parameter", ASKED["ssm"], "ThrottlingException", "parameter '/azure' of SSM"),
    ],
    ids=["table", "secretsmanager", "ssm"],
)
def test_a_store_that_refuses_is_named_with_its_region_and_the_code(
    settings: Settings, operation: str, asked: Any, code: str, place: str
) -> None:
    service = "dynamodb" if settings.auth_store == "table" else settings.auth_store
    stub = Stubbed(service).refuses(operation, asked, code)
    with stub, says(ConfigurationError, f"cannot read {place} (region eu-west-1): {code}"):
        read(stub, settings)
    credential_stores._provider.cache_clear()
    said = f"cannot read {place} (region eu-west-1): EndpointConnectionError"
    with unreachable(service) as client, says(ConfigurationError, said):
        read(client, settings)


def test_a_failure_of_the_library_itself_has_its_name() -> None:
    said = "cannot read secret 'azure' of Secrets Manager: GetParameterError"

    class Broken:
        def get_secret_value(self, **_: Any) -> Any:
            raise RuntimeError("s3cret")

    with says(ConfigurationError, said) as raised:
        read(Broken(), SECRETS)
    assert raised.value.__suppress_context__


FEDERATION = Settings(
    auth_store="settings", azure_sign_in="federation", azure_tenant_id=TENANT, azure_client_id=CLIENT,
    azure_subscriptions=(SUB,), azure_audience="api://AzureADTokenExchange",
)  # fmt: skip


def test_the_settings_alone_need_no_client() -> None:
    found, session = read(None, FEDERATION)
    assert (found.tenant_id, found.client_id, found.subscriptions) == (TENANT, CLIENT, (SUB,))
    assert (found.method, found.client_secret, session.asked) == (SignInMethod.FEDERATION, "", [])
    assert place_of(FEDERATION) == "the settings azure_tenant_id, azure_client_id and azure_subscriptions"


# STS API reference, GetWebIdentityToken and AssumeRole (read 2026-11).
TOKEN_ASKED = {"Audience": ["api://AzureADTokenExchange"], "SigningAlgorithm": "RS256", "DurationSeconds": 300}
ROLE = "arn:aws:iam::000000000000:role/azure"
ROLE_ASKED = {"RoleArn": ROLE, "RoleSessionName": "spotlake", "DurationSeconds": 900}
TAKEN = {
    "AccessKeyId": "A" * 16, "SecretAccessKey": "secret", "SessionToken": "token", "Expiration": "2027-01-01T00:00:00Z",
}  # fmt: skip
WITH_ROLE = Settings(azure_audience="api://AzureADTokenExchange", azure_role_arn=ROLE)
STS = ("sts", {"region_name": "us-west-2", "config": CONFIG})


def test_aws_signs_a_statement() -> None:
    with Stubbed("sts").answers("get_web_identity_token", TOKEN_ASKED, {"WebIdentityToken": "statement.of.aws"}) as sts:
        session: Any = Session(sts.client)
        assert signed_assertion(session, FEDERATION, CONFIG) == "statement.of.aws"
    assert session.asked == [STS]
    assert scrubbed("sent statement.of.aws off") == "sent (hidden) off"


def test_the_role_that_azure_trusts_is_taken_first() -> None:
    sts = Stubbed("sts").answers("assume_role", ROLE_ASKED, {"Credentials": TAKEN})
    with sts.answers("get_web_identity_token", TOKEN_ASKED, {"WebIdentityToken": "statement.of.aws"}):
        session: Any = Session(sts.client, sts.client)
        assert signed_assertion(session, WITH_ROLE, CONFIG) == "statement.of.aws"
    keys = {"aws_access_key_id": "A" * 16, "aws_secret_access_key": "secret", "aws_session_token": "token"}
    assert session.asked == [STS, ("sts", {**STS[1], **keys})]


WAY_OUT = "`aws iam enable-outbound-web-identity-federation`, and the rights in docs/deploying.md"


@pytest.mark.parametrize(
    ("settings", "operation", "asked", "named"),
    [
        (FEDERATION, "get_web_identity_token", TOKEN_ASKED, "GetWebIdentityToken"),
        (WITH_ROLE, "assume_role", ROLE_ASKED, "AssumeRole"),
    ],
    ids=["token", "role"],
)
def test_a_statement_that_aws_does_not_sign_names_the_way_out(
    settings: Settings, operation: str, asked: Any, named: str
) -> None:
    sts = Stubbed("sts").refuses(operation, asked, "AccessDenied")
    session: Any = Session(sts.client)
    with sts, says(ConfigurationError, f"AWS signs no statement for Azure ({named}: AccessDenied): {WAY_OUT}"):
        signed_assertion(session, settings, CONFIG)
    said = f"AWS signs no statement for Azure (sts: EndpointConnectionError): {WAY_OUT}"
    with unreachable("sts") as client, says(ConfigurationError, said):
        lost: Any = Session(client)
        signed_assertion(lost, settings, CONFIG)


def test_a_field_that_is_no_text_is_lacking() -> None:
    data: dict[str, Any] = {name: {"S": text} for name, text in RECORD.items()} | {"client_secret": {"N": "5"}}
    said = "item 'login_auth_az_true' of table 'AzureAuth' lacks client_secret"
    with (
        Stubbed("dynamodb").answers("get_item", GET_ITEM, {"Item": {"data": {"M": data}}}) as stub,
        says(ConfigurationError, said),
    ):
        read(stub, TABLE)


@pytest.mark.parametrize(("settings", "options"), [(SECRETS, {}), (SSM, {"decrypt": True})])
def test_a_value_is_kept_for_a_minute(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, options: dict[str, Any]
) -> None:
    asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Provider:
        def get(self, *given: Any, **named: Any) -> str:
            asked.append((given, named))
            return json.dumps(RECORD)

    monkeypatch.setattr(credential_stores, "_provider", Counted(Provider()))
    read(None, settings)
    assert asked == [((settings.auth_name,), {"max_age": 60, **options})]


class Counted:
    """Stands for the cached maker of providers."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def __call__(self, *_: Any) -> Any:
        return self.provider

    def cache_clear(self) -> None:
        return
