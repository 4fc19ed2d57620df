"""azure-identity over HTTPS: a certificate, federation with the emulated AWS. Each wrong part is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from spotlake.azure.credential_stores import read_credentials, signed_assertion
from spotlake.azure.credentials import AzureCredentials, SignInMethod
from spotlake.azure.tokens import TokenSource
from spotlake.errors import ConfigurationError, SignInError
from spotlake.settings import Settings
from spotlake_local.aws.launcher import ACCOUNT, EmulatedAws
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.azure import credentials_of, self_signed
from tests.support.emulator import aws, client_as, policy, statement

__all__ = ["aws"]

AUDIENCE = "api://AzureADTokenExchange"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/azure-sign-in"
NOW_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def source_of(azure: SimulatedAzure, **changes: Any) -> TokenSource:
    known = credentials_of(azure)
    ours = {"tenant_id": known.tenant_id, "client_id": known.client_id, "client_secret": ""}
    assertion = changes.pop("assertion", None)
    credentials = AzureCredentials(**{**ours, "subscriptions": known.subscriptions, **changes})
    return TokenSource(credentials, authority_url=azure.authority_url, ca_file=azure.ca_file, assertion=assertion)


def test_a_certificate_signs_in(azure: SimulatedAzure) -> None:
    azure.set_clock(datetime.now(UTC))
    made = self_signed(ends_at=datetime.now(UTC) + timedelta(days=100))
    azure.options(certificates=[made.public_pem])
    source = source_of(azure, method=SignInMethod.CERTIFICATE, client_certificate=made.pem)
    assert source.headers()["Authorization"].startswith("Bearer ey")


def test_a_certificate_that_the_application_does_not_have(azure: SimulatedAzure) -> None:
    azure.set_clock(datetime.now(UTC))
    made, other = (self_signed(ends_at=datetime.now(UTC) + timedelta(days=100)) for _ in range(2))
    azure.options(certificates=[other.public_pem])
    source = source_of(azure, method=SignInMethod.CERTIFICATE, client_certificate=made.pem)
    with pytest.raises(SignInError, match=r"AADSTS700027.*does not have this certificate"):
        source.headers()


def test_a_clock_an_hour_off_is_named_with_a_certificate(azure: SimulatedAzure) -> None:
    azure.set_clock(datetime.now(UTC) + timedelta(hours=1))
    made = self_signed(ends_at=datetime.now(UTC) + timedelta(days=100))
    azure.options(certificates=[made.public_pem])
    source = source_of(azure, method=SignInMethod.CERTIFICATE, client_certificate=made.pem)
    with pytest.raises(SignInError, match=r"AADSTS700024.*a clock is wrong"):
        source.headers()
    azure.set_clock(datetime.now(UTC))


def test_an_unknown_tenant_is_named_though_the_library_keeps_the_code_to_itself(azure: SimulatedAzure) -> None:
    source = source_of(azure, tenant_id="00000000-0000-4000-8000-00000000000f", client_secret="x")
    with pytest.raises(SignInError, match=r"AADSTS90002.*tenant_id is wrong") as raised:
        source.headers()
    assert raised.value.part == "tenant"


@pytest.fixture(scope="module")
def role(aws: EmulatedAws) -> EmulatedAws:
    """A session of a role that may ask for tokens of one audience, for five minutes at most."""
    iam: Any = aws.client("iam")
    trusted = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="azure-sign-in", AssumeRolePolicyDocument=policy(trusted))
    allowed = statement("sts:GetWebIdentityToken") | {
        "Condition": {
            "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": [AUDIENCE]},
            "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
        }
    }
    iam.put_role_policy(RoleName="azure-sign-in", PolicyName="inline", PolicyDocument=policy(allowed))
    return aws


def settings_of(**changes: str) -> Settings:
    return Settings(azure_sign_in="federation", azure_role_arn=ROLE, **cast("dict[str, Any]", changes))


def asserted(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, **changes: str) -> Any:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    return lambda: signed_assertion(session, settings_of(**changes))


def trusted_of(aws: EmulatedAws, **changes: str) -> list[dict[str, str]]:
    issuer = f"{aws.endpoint_url}/_issuer"
    return [{"issuer": issuer, "subject": ROLE, "audience": AUDIENCE, **changes}]


def test_federation_signs_in_with_nothing_stored(
    role: EmulatedAws, azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.set_clock(datetime.now(UTC))
    azure.options(federated_credentials=trusted_of(role))
    source = source_of(azure, method=SignInMethod.FEDERATION, assertion=asserted(role, monkeypatch))
    assert source.headers()["Authorization"].startswith("Bearer ey")


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"issuer": "https://another.tokens.sts.global.api.aws"}, "AADSTS700211", "federation: issuer"),
        ({"subject": ROLE.upper()}, "AADSTS700213", "federation: subject"),
        ({"audience": "api://another"}, "AADSTS700212", "federation: audience"),
    ],
)
def test_each_wrong_part_of_the_federation_is_named(
    role: EmulatedAws,
    azure: SimulatedAzure,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    code: str,
    part: str,
) -> None:
    azure.set_clock(datetime.now(UTC))
    azure.options(federated_credentials=trusted_of(role, **changes))
    source = source_of(azure, method=SignInMethod.FEDERATION, assertion=asserted(role, monkeypatch))
    with pytest.raises(SignInError) as raised:
        source.headers()
    assert (raised.value.code, raised.value.part) == (code, part)


def test_a_token_with_another_signature_or_an_old_one_is_refused(
    role: EmulatedAws, azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.set_clock(datetime.now(UTC))
    azure.options(federated_credentials=trusted_of(role))
    good = asserted(role, monkeypatch)()
    head, claims, signature = good.split(".")
    forged = f"{head}.{claims}.{signature[:-6]}{'AAAAAA' if signature[-6:] != 'AAAAAA' else 'BBBBBB'}"
    with pytest.raises(SignInError, match=r"AADSTS50027"):
        source_of(azure, method=SignInMethod.FEDERATION, assertion=lambda: forged).headers()
    azure.set_clock(datetime.now(UTC) + timedelta(minutes=11))
    with pytest.raises(SignInError, match=r"AADSTS700024"):
        source_of(azure, method=SignInMethod.FEDERATION, assertion=lambda: good).headers()
    azure.set_clock(datetime.now(UTC))


def test_the_role_signs_for_no_other_audience_and_not_for_longer(
    role: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"AccessDenied.*enable-outbound-web-identity-federation"):
        asserted(role, monkeypatch, azure_audience="api://another")()
    sts = client_as(role, ROLE, "sts")
    with pytest.raises(ClientError, match=r"AccessDenied"):
        sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=600)
    assert sts.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=300)


@pytest.mark.parametrize("store", ["secretsmanager", "ssm"])
def test_a_secret_of_secrets_manager_and_ssm_signs_in_and_a_rotated_one_counts(
    aws: EmulatedAws, azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    session = boto3.Session()
    settings = Settings(auth_store=store, auth_name="spotlake/azure", auth_region="us-west-2")
    kind = "secret" if store == "secretsmanager" else "parameter"
    with pytest.raises(ConfigurationError, match=rf"cannot read {kind} 'spotlake/azure'.*NotFound"):
        read_credentials(session, settings)
    record = {
        "tenant_id": azure.tenant_id,
        "client_id": azure.client_id,
        "client_secret": azure.client_secret,
        "subscriptions": ", ".join(azure.subscriptions),
        "secret_expires_at": "2027-11-23",
    }
    text = json.dumps(record)
    if store == "secretsmanager":
        cast("Any", aws.client("secretsmanager")).create_secret(Name="spotlake/azure", SecretString=text)
    else:
        cast("Any", aws.client("ssm")).put_parameter(Name="spotlake/azure", Value=text, Type="SecureString")
    found = read_credentials(session, settings)
    assert found.expires_at == datetime(2027, 11, 23, tzinfo=UTC)
    source = TokenSource(found, authority_url=azure.authority_url, ca_file=azure.ca_file)
    assert source.headers()["Authorization"].startswith("Bearer ey")
