"""`spotlake doctor`, the Azure half: all green where all is well, and one red line with its remedy for each fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from spotlake.azure.credential_stores import place_of, read_credentials, signed_assertion
from spotlake.settings import Settings
from spotlake_local.aws.launcher import ACCOUNT, EmulatedAws
from spotlake_local.aws.seed import seed_credentials
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.azure_doctor import CHECKS, check_azure
from spotlake_local.azure_doctor.target import Target
from tests.support.azure import azure, azure_process
from tests.support.emulator import aws, policy, statement

__all__ = ["aws", "azure", "azure_process"]

ROLE = f"arn:aws:iam::{ACCOUNT}:role/doctor-azure-sign-in"
AUDIENCE = "api://AzureADTokenExchange"
type Doctor = Callable[..., Target]


@pytest.fixture
def doctor(aws: EmulatedAws, azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Makes the target: the item in its table, and settings that point at the simulator."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    azure.set_clock(datetime.now(UTC))
    own = {"azure_management_url": azure.url, "azure_retail_url": azure.url, "azure_ca_file": azure.ca_file}

    def make(*, item: dict[str, Any] | None = None, now: Callable[[], float] = time.time, **changes: Any) -> Target:
        settings = Settings(**{**own, "azure_authority_url": azure.authority_url, **changes})
        ours = {
            "tenant_id": azure.tenant_id,
            "client_id": azure.client_id,
            "client_secret": azure.client_secret,
            "subscriptions": azure.subscriptions[:3],
        }
        seed_credentials(aws, Settings(), **{**ours, **(item or {})})
        session = boto3.Session()
        return Target(
            settings,
            place_of(settings),
            lambda: read_credentials(session, settings),
            assertion=lambda: signed_assertion(session, settings),
            now=now,
        )

    return make


@pytest.fixture(scope="module")
def role(aws: EmulatedAws) -> EmulatedAws:
    iam: Any = aws.client("iam")
    trusted = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    name = ROLE.rpartition("/")[2]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusted))
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy(statement("sts:GetWebIdentityToken")))
    return aws


def looked(target: Target) -> tuple[dict[str, str], set[str]]:
    """The red lines, by name, and the names of the green ones."""
    found = dict(check_azure(target))
    assert list(found) == [one.name for one in CHECKS]
    for secret in (target.credentials.client_secret,) if _has_credentials(target) else ():
        assert not [one.said for one in found.values() if secret and secret in one.said]
    red = {name: one.said for name, one in found.items() if not one.passed and not one.later}
    return red, {name for name, one in found.items() if one.passed}


def _has_credentials(target: Target) -> bool:
    return "credentials" in vars(target)


def test_all_is_green_and_one_call_of_the_quota_is_spent(doctor: Doctor, azure: SimulatedAzure) -> None:
    red, green = looked(doctor())
    assert red == {}
    assert green == {one.name for one in CHECKS}
    answers = azure.stats()["answers"]
    assert {name: number for name, number in answers.items() if name.startswith(("sps", "token", "graph"))} == {
        "token 200": 1,
        "sps 200": 1,
        "graph 200": 1,
    }


def test_a_wrong_secret(doctor: Doctor) -> None:
    red, _ = looked(doctor(item={"client_secret": "another"}))
    assert list(red) == ["sign-in"]
    assert "AADSTS7000215" in red["sign-in"]
    assert "`az ad app credential reset --id 99999999-" in red["sign-in"]
    assert "`spotlake ops replace-secret" in red["sign-in"]


def test_an_expired_secret(doctor: Doctor, azure: SimulatedAzure) -> None:
    azure.options(secret_expired=True)
    red, _ = looked(doctor(secret_expires_at="2026-01-01"))
    assert list(red) == ["sign-in"]
    assert "secret has expired" in red["sign-in"]
    assert "`spotlake ops replace-secret" in red["sign-in"]


def test_an_unknown_tenant(doctor: Doctor) -> None:
    red, _ = looked(doctor(item={"tenant_id": "00000000-0000-4000-8000-00000000000f"}))
    assert list(red) == ["sign-in"]
    assert "AADSTS90002" in red["sign-in"]
    assert "`az account show --query tenantId`" in red["sign-in"]


@pytest.mark.parametrize(
    ("changes", "code", "way_out"),
    [
        ({"audience": "api://other"}, "AADSTS700212", "the audience is api://AzureADTokenExchange"),
        ({"subject": f"{ROLE}-2"}, "AADSTS700213", f"the subject is {ROLE}"),
    ],
    ids=["audience", "subject"],
)
def test_federation_with_a_wrong_audience_and_a_wrong_subject(
    doctor: Doctor, azure: SimulatedAzure, role: EmulatedAws, changes: dict[str, str], code: str, way_out: str
) -> None:
    trusted = {"issuer": f"{role.endpoint_url}/_issuer", "subject": ROLE, "audience": AUDIENCE}
    azure.options(federated_credentials=[trusted])
    settings = {"azure_sign_in": "federation", "azure_role_arn": ROLE}
    assert looked(doctor(**settings))[0] == {}
    azure.options(federated_credentials=[{**trusted, **changes}])
    red, _ = looked(doctor(**settings))
    assert list(red) == ["sign-in"]
    assert code in red["sign-in"]
    assert way_out in red["sign-in"]
    assert "`az ad app federated-credential list --id 99999999-" in red["sign-in"]


@pytest.mark.parametrize("option", ["no_role", "no_score_role"])
def test_a_missing_role_on_one_subscription_of_three(doctor: Doctor, azure: SimulatedAzure, option: str) -> None:
    azure.options(**{option: [azure.subscriptions[2]]})
    red, green = looked(doctor())
    assert list(red) == ["roles"]
    assert f"subscription {azure.subscriptions[2]} lacks" in red["roles"]
    scope = f'--role "Compute Recommendations Role" --scope /subscriptions/{azure.subscriptions[2]}`'
    assert scope in red["roles"]
    assert ('--role "Reader"' in red["roles"]) == (option == "no_role")
    assert {"zones", "placement scores", "eviction rates"} <= green  # the others go on


def test_a_missing_table(doctor: Doctor) -> None:
    red, green = looked(doctor(auth_table="Elsewhere"))
    assert list(red) == ["credentials"]
    assert "'Elsewhere' (region us-east-1): ResourceNotFoundException" in red["credentials"]
    assert "`aws dynamodb put-item --region us-east-1 --table-name Elsewhere ...`, as step 2" in red["credentials"]
    assert green == {"clock, network", "prices"}


@pytest.mark.parametrize(("hours", "side"), [(1, "ahead of"), (-1, "behind")])
def test_a_clock_an_hour_off(doctor: Doctor, hours: int, side: str) -> None:
    red, _ = looked(doctor(now=lambda: time.time() + timedelta(hours=hours).total_seconds()))
    assert list(red) == ["clock, network"]
    assert f"clock is 60 minutes {side} Azure's: `sudo timedatectl set-ntp true`" in red["clock, network"]


def test_arm_away(doctor: Doctor) -> None:
    red, green = looked(doctor(azure_management_url="http://127.0.0.1:9"))
    assert list(red) == ["resource manager"]
    assert "http://127.0.0.1:9 is away" in red["resource manager"]
    assert "azure.status.microsoft" in red["resource manager"]
    assert {"sign-in", "prices"} <= green


def test_no_network_at_all(doctor: Doctor) -> None:
    nowhere = "http://127.0.0.1:9"
    red, _ = looked(
        doctor(azure_authority_url="https://127.0.0.1:9", azure_management_url=nowhere, azure_retail_url=nowhere)
    )
    assert list(red) == ["clock, network", "prices"]
    assert "see this machine's network" in red["clock, network"]


def test_a_secret_that_ends_soon_is_red_though_it_still_signs_in(doctor: Doctor) -> None:
    soon = (datetime.now(UTC) + timedelta(days=12, hours=1)).date().isoformat()
    red, _ = looked(doctor(secret_expires_at=soon))
    assert list(red) == ["secret's end"]
    assert "ends in 11 days" in red["secret's end"] or "ends in 12 days" in red["secret's end"]


def test_a_used_up_quota_is_said_so(doctor: Doctor, azure: SimulatedAzure) -> None:
    azure.options(quota_calls=0)
    red, _ = looked(doctor())
    assert list(red) == ["placement scores"]
    assert "is used up for this hour" in red["placement scores"]
