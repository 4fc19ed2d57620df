"""What Entra checks of a client assertion: a certificate's signature, or the token of another issuer.

Codes and texts of 700211 and 700213 are word for word (Azure/azure-workload-identity#1200, Azure/login#482); those of
700212, 700024 and 700027 follow public threads; the code of a wrong signature (50027) is assumed. All read 2026-11.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW = timedelta(minutes=5)
_CHECK = "Please check your federated identity credential Subject, Audience and Issuer against the presented assertion."
_NO_MATCH = "No matching federated identity record found for presented assertion"


class AssertionRefusedError(Exception):
    """The assertion is refused: number of the AADSTS code, and the text."""

    def __init__(self, number: int, text: str) -> None:
        """Keep both."""
        self.number, self.text = number, text
        super().__init__(text)


@dataclass(frozen=True)
class Assertion:
    """A JWT: header, claims, and what was signed."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, text: str) -> Assertion:
        """Take a JWT apart. Raises AssertionRefusedError."""
        try:
            head, claims, signature = text.split(".")
            signed = f"{head}.{claims}".encode()
            return cls(json.loads(_decoded(head)), json.loads(_decoded(claims)), signed, _decoded(signature))
        except (ValueError, binascii.Error):
            raise AssertionRefusedError(50027, "JWT token is invalid or malformed.") from None


def check_assertion(
    text: str,
    *,
    client: str,
    token_url: str,
    certificates: Collection[str],
    federated: Collection[Mapping[str, str]],
    now_at: datetime,
) -> None:
    """Check an assertion as Entra does.

    Args:
        text: The JWT.
        client: The application that signs in.
        token_url: What an assertion by certificate names as its audience.
        certificates: Public certificates of the application, as PEM.
        federated: Federated credentials of the application: ``{"issuer", "subject", "audience"}``.
        now_at: Present time.

    Raises:
        AssertionRefusedError: It is refused.
    """
    assertion = Assertion.read(text)
    if assertion.claims.get("iss") == client:
        _check_certificate(assertion, client, token_url, certificates)
    else:
        _check_federation(assertion, federated)
    _check_times(assertion, now_at)


def _check_certificate(assertion: Assertion, client: str, token_url: str, certificates: Collection[str]) -> None:
    for pem in certificates:
        found = x509.load_pem_x509_certificate(pem.encode())
        prints = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}  # noqa: S303 - the standard's own thumbprint
        if any(
            _encoded(found.fingerprint(kind)) == str(assertion.header.get(name, "")).rstrip("=")
            for name, kind in prints.items()
        ):
            key = found.public_key()
            if not isinstance(key, rsa.RSAPublicKey) or not _is_signed(assertion, key):
                break
            if assertion.claims.get("aud") != token_url or assertion.claims.get("sub") != client:
                raise AssertionRefusedError(700023, "Client assertion audience claim does not match Realm issuer.")
            return
    text = "The certificate with identifier used to sign the client assertion is not registered on application."
    raise AssertionRefusedError(700027, text)


def _check_federation(assertion: Assertion, federated: Collection[Mapping[str, str]]) -> None:
    left = list(federated)
    for name, claim, number in (("issuer", "iss", 700211), ("subject", "sub", 700213), ("audience", "aud", 700212)):
        said = assertion.claims.get(claim)
        left = [one for one in left if one[name] == said]
        if not left:
            raise AssertionRefusedError(number, f"{_NO_MATCH} {name} '{said}'. {_CHECK}")
    if not any(_is_signed(assertion, key) for key in _published_keys(left[0]["issuer"], assertion.header.get("kid"))):
        raise AssertionRefusedError(50027, "JWT token is invalid: its signature cannot be validated.")


def _published_keys(issuer: str, key_id: object) -> list[rsa.RSAPublicKey]:
    """Keys that the issuer publishes under this id, by OIDC discovery."""
    document = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=5).json()
    if document["issuer"] != issuer:
        return []
    listed = requests.get(document["jwks_uri"], timeout=5).json()["keys"]
    return [
        rsa.RSAPublicNumbers(*(int.from_bytes(_decoded(one[part]), "big") for part in ("e", "n"))).public_key()
        for one in listed
        if one["kid"] == key_id
    ]


def _is_signed(assertion: Assertion, key: rsa.RSAPublicKey) -> bool:
    sha = hashes.SHA256()
    schemes: dict[str, Any] = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(sha), sha.digest_size)}
    scheme = schemes.get(str(assertion.header.get("alg")))
    if scheme is None:
        return False
    try:
        key.verify(assertion.signature, assertion.signed, scheme, sha)
    except InvalidSignature:
        return False
    return True


def _check_times(assertion: Assertion, now_at: datetime) -> None:
    begins = float(assertion.claims.get("nbf") or assertion.claims.get("iat") or 0)
    ends = float(assertion.claims.get("exp") or 0)
    begins_at, ends_at = (datetime.fromtimestamp(one, UTC) for one in (begins, ends))
    if not begins_at - _SKEW <= now_at < ends_at + _SKEW:
        text = (
            f"Client assertion is not within its valid time range. Current time: {now_at:%Y-%m-%dT%H:%M:%S.0000000Z}, "
            f"assertion valid from {begins_at:%Y-%m-%dT%H:%M:%S.0000000Z}, expiry time of assertion "
            f"{ends_at:%Y-%m-%dT%H:%M:%S.0000000Z}."
        )
        raise AssertionRefusedError(700024, text)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
