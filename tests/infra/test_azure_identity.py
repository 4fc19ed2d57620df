"""Rights to sign in to Azure: each store its own, and with federation one role that can do one thing."""

from __future__ import annotations

from tests.infra.conftest import Synthesised
from tests.infra.policies import Role, roles
from tests.infra.templates import ACCOUNT, REGION

SUBJECT = f"arn:aws:iam::{ACCOUNT}:role/spotlake-azure-other-azure-sign-in"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:spotlake/azure-??????"
_SIGNING_IN = ("plan", "sps", "eviction", "JobRole")


def of(synthesised: Synthesised, name: str) -> Role:
    (found,) = [one for one in roles(synthesised.other) if name in one.name]
    return found


def actions(role: Role) -> dict[str, dict[str, object]]:
    """Action -> its statement."""
    return {action: one for one in role.statements() for action in one["Action"]}


def test_the_role_that_is_our_name_may_ask_for_one_audience_and_five_minutes(synthesised: Synthesised) -> None:
    role = of(synthesised, "AzureIdentity")
    (allowed,) = role.statements()
    assert allowed["Action"] == ["sts:GetWebIdentityToken"]
    assert allowed["Condition"] == {
        "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": ["api://AzureADTokenExchange"]},
        "Null": {"sts:IdentityTokenAudience": "false"},
        "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
        "StringEquals": {"sts:SigningAlgorithm": "RS256"},
    }
    (made,) = [one for one in synthesised.other.of_type("AWS::IAM::Role").values() if "RoleName" in one]
    assert made["RoleName"] == SUBJECT.rpartition("/")[2]
    assert synthesised.other.resolve(synthesised.other.content["Outputs"]["AzureSubject"]["Value"]) == SUBJECT


def test_those_who_sign_in_may_take_it_and_read_the_one_secret_and_nobody_else_may(synthesised: Synthesised) -> None:
    for role in roles(synthesised.other):
        allowed = actions(role)
        signs_in = any(name in role.name for name in _SIGNING_IN)
        assert ("sts:AssumeRole" in allowed) == signs_in, role.name
        assert ("secretsmanager:GetSecretValue" in allowed) == signs_in, role.name
        if signs_in:
            assert allowed["sts:AssumeRole"]["Resource"] == [SUBJECT]
            assert allowed["secretsmanager:GetSecretValue"]["Resource"] == [SECRET]
            assert allowed["kms:Decrypt"]["Condition"] == {
                "StringEquals": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"},
                "StringLike": {"kms:EncryptionContext:SecretARN": SECRET},
            }


def test_with_the_table_there_is_no_such_role(synthesised: Synthesised) -> None:
    assert not [one.name for one in roles(synthesised.test) if "AzureIdentity" in one.name]
    assert not [one.name for one in roles(synthesised.test) if "sts:AssumeRole" in actions(one)]
    assert REGION not in SECRET
