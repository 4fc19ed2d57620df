"""The token endpoint and the tokens it issues: refusals word for word, lifetimes by the simulator's clock."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential

from tests.functional.simulator.conftest import NOW_AT, SCOPE, Caller, error_of


def test_the_real_azure_identity_signs_in_over_tls_with_our_authority(caller: Caller) -> None:
    azure = caller.azure
    credential = ClientSecretCredential(
        azure.tenant_id,
        azure.client_id,
        azure.client_secret,
        authority=azure.authority_url,
        disable_instance_discovery=True,
        connection_verify=azure.ca_file,
    )
    token = credential.get_token(SCOPE).token
    assert credential.get_token(SCOPE).token == token
    assert azure.stats()["answers"] == {"discovery 200": 1, "token 200": 1}
    caller.token = token
    assert caller.scores().status_code == 200
    credential.close()


def test_the_real_azure_identity_names_the_code_of_a_refusal(caller: Caller) -> None:
    azure = caller.azure
    credential = ClientSecretCredential(
        azure.tenant_id,
        azure.client_id,
        "another secret",
        authority=azure.authority_url,
        disable_instance_discovery=True,
        connection_verify=azure.ca_file,
    )
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential.get_token(SCOPE)
    credential.close()


def test_without_our_authority_nobody_trusts_it(caller: Caller) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{caller.azure.authority_url}/x/v2.0/.well-known/openid-configuration", timeout=10)


def test_discovery_names_the_endpoints(caller: Caller) -> None:
    authority, tenant = caller.azure.authority_url, caller.azure.tenant_id
    url = f"{authority}/{tenant}/v2.0/.well-known/openid-configuration"
    assert caller.session.get(url, verify=caller.azure.ca_file, timeout=10).json() == {
        "token_endpoint": f"{authority}/{tenant}/oauth2/v2.0/token",
        "authorization_endpoint": f"{authority}/{tenant}/oauth2/v2.0/authorize",
        "issuer": f"{authority}/{tenant}/v2.0",
    }


def test_an_unknown_tenant_is_refused_by_discovery_already(caller: Caller) -> None:
    url = f"{caller.azure.authority_url}/nowhere.example/v2.0/.well-known/openid-configuration"
    refused = caller.session.get(url, verify=caller.azure.ca_file, timeout=10)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_tenant")
    assert "AADSTS90002: Tenant 'nowhere.example' not found." in refused.json()["error_description"]


@pytest.mark.parametrize(
    ("changes", "status", "error", "number", "words"),
    [
        ({"client_secret": "no"}, 401, "invalid_client", 7000215, "Invalid client secret provided."),
        ({"client_id": "app-2"}, 400, "unauthorized_client", 700016, "identifier 'app-2' was not found"),
        ({"tenant": "t2"}, 400, "invalid_tenant", 90002, "Tenant 't2' not found."),
        ({"scope": "https://graph.example/.default"}, 400, "invalid_scope", 70011, "'scope' is not valid."),
        ({"scope": None}, 400, "invalid_request", 900144, "must contain the following parameter: 'scope'."),
        ({"client_secret": ""}, 401, "invalid_client", 7000216, "'client_secret' or 'request' is required"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003, "grant type 'password'"),
    ],
    ids=["secret", "client", "tenant", "scope", "no_scope", "empty_secret", "grant"],
)  # fmt: skip
def test_a_refusal_has_all_fields_of_the_real_one(
    caller: Caller, changes: dict[str, Any], status: int, error: str, number: int, words: str
) -> None:
    refused = caller.sign_in(**changes)
    body = refused.json()
    assert (refused.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    text, *tail = body["error_description"].split("\r\n")
    assert text.startswith(f"AADSTS{number}: ")
    assert words in text
    assert tail == [
        f"Trace ID: {body['trace_id']}",
        f"Correlation ID: {body['correlation_id']}",
        f"Timestamp: {body['timestamp']}",
    ]
    assert body["timestamp"].startswith("2026-11-23 10:0")
    assert body["error_uri"] == f"https://login.microsoftonline.com/error?code={number}"


def test_an_expired_secret_is_told_apart_from_a_wrong_one(caller: Caller) -> None:
    caller.azure.options(secret_expired=True)
    body = caller.sign_in().json()
    assert (body["error"], body["error_codes"]) == ("invalid_client", [7000222])


def test_a_token_says_how_long_it_lives_and_ends_by_the_simulators_clock(caller: Caller) -> None:
    issued = caller.sign_in().json()
    assert {name: issued[name] for name in ("token_type", "expires_in", "ext_expires_in")} == {
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
    }
    caller.token = issued["access_token"]
    caller.azure.set_clock(NOW_AT + timedelta(minutes=58))
    assert caller.scores().status_code == 200
    caller.azure.set_clock(NOW_AT + timedelta(hours=1))
    status, code, message = error_of(caller.scores())
    assert (status, code) == (401, "ExpiredAuthenticationToken")
    time = r"'11/23/2026 \d+:\d\d:\d\d AM'"
    assert re.fullmatch(rf"The access token expiry UTC time {time} is earlier than current UTC time {time}\.", message)


def test_the_lifetime_is_turned_for_tests(caller: Caller) -> None:
    caller.azure.options(token_lifetime_seconds=900)
    assert caller.sign_in().json()["expires_in"] == 900
    caller.azure.set_clock(NOW_AT + timedelta(minutes=16))
    assert caller.scores().status_code == 200  # of a token issued a moment ago
    caller.azure.set_clock(NOW_AT + timedelta(minutes=32))
    assert caller.scores().status_code == 401
