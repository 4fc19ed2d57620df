"""STS: web identity tokens that others can check. Keys are published as OIDC asks, below the emulator's own address.

The emulator signs with a fixed word and always for the root user. AWS signs with keys of the account's issuer, for the
ARN of the calling role (STS API reference, GetWebIdentityToken, read 2026-11).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from ministack import app
from ministack.core import iam_evaluator
from ministack.services import sts

from spotlake_local.aws.patches import need

ISSUER_PATH = "/_issuer"
_TOKEN = re.compile(rb"<WebIdentityToken>(.*?)</WebIdentityToken>", re.DOTALL)
_ROLE = re.compile(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.*")
_KEYS = ("sts:identitytokenaudience", "sts:durationseconds", "sts:signingalgorithm")
_KEY_ID = "emulated"


class _Anything(str):
    """Passes the emulator's first check, which does not know the request's parameters. The second check does."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __str__(self) -> str:
        return self

    def __eq__(self, other: object) -> bool:
        return True


class Issuer:
    """The account's issuer: one key, made at each start.

    Attributes:
        url: What tokens name as their issuer.
    """

    def __init__(self, url: str) -> None:
        """Make the key."""
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, path: str) -> dict[str, Any] | None:
        """What the issuer publishes at a path; None: nothing."""
        if path == f"{ISSUER_PATH}/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/.well-known/jwks.json"}
        if path == f"{ISSUER_PATH}/.well-known/jwks.json":
            numbers = self._key.public_key().public_numbers()
            parts = {name: _encoded(_bytes_of(value)) for name, value in (("n", numbers.n), ("e", numbers.e))}
            return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": _KEY_ID, **parts}]}
        return None

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of these claims."""
        header = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def install(endpoint_url: str) -> Issuer:
    """Install the patch. Returns the issuer, whose documents the door shows to everybody."""
    issuer = Issuer(f"{endpoint_url}{ISSUER_PATH}")
    for name in ("evaluate", "EvalContext", "_gather_role_policies", "_permissions_boundary"):
        need(iam_evaluator, name, "web identity tokens")
    caller_of = need(sts, "_caller_identity", "web identity tokens")
    resolve = need(iam_evaluator, "_resolve_condition_key", "web identity tokens")
    handle = sts.handle_request

    def resolve_later(key: str, context: Any) -> Any:
        found = resolve(key, context)
        return _Anything("0") if found is None and key.lower() in _KEYS else found

    async def handle_with_keys(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        answer = await handle(method, path, headers, body, query)
        status, sent_headers, content = answer[:3]
        found = _TOKEN.search(content if isinstance(content, bytes) else str(content).encode())
        if status != 200 or found is None:
            return answer
        asked = parse_qs(body.decode())
        caller = caller_of(headers, query)
        if not _is_allowed(caller, asked):
            return _denied(caller["userArn"])
        claims = _claims_of(found[1].decode())
        role = _ROLE.fullmatch(caller["userArn"])
        subject = f"arn:aws:iam::{role[1]}:role/{role[2]}" if role else caller["userArn"]
        token = issuer.sign({**claims, "iss": issuer.url, "sub": subject, "jti": secrets.token_hex(16)})
        text = content if isinstance(content, bytes) else str(content).encode()
        return status, sent_headers, text.replace(found[1], token.encode())

    iam_evaluator._resolve_condition_key = resolve_later
    sts.handle_request = handle_with_keys
    need(app, "SERVICE_HANDLERS", "web identity tokens")["sts"] = handle_with_keys
    return issuer


def _is_allowed(caller: Any, asked: dict[str, list[str]]) -> bool:
    """Check the conditions on audience, duration and algorithm, which need the request's parameters."""
    role = _ROLE.fullmatch(caller["userArn"])
    if role is None:
        return True  # the root user
    account, name = role.groups()
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:iam::{account}:role/{name}",
        principal_type="AssumedRole",
        principal_account=account,
        action="sts:GetWebIdentityToken",
        resource_arn="*",
        region="",
        service_context={
            "sts:identitytokenaudience": [one for key, many in asked.items() if key[:8] == "Audience" for one in many],
            "sts:durationseconds": asked.get("DurationSeconds", ["300"])[0],
            "sts:signingalgorithm": asked.get("SigningAlgorithm", [""])[0],
        },
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    from ministack.services import iam

    limits = iam_evaluator._permissions_boundary(iam._roles, name, account)
    return bool(iam_evaluator.evaluate(context, policies, *limits).decision == "Allow")


def _denied(who: str) -> Any:
    text = f"User: {who} is not authorized to perform: sts:GetWebIdentityToken"
    return sts._error(403, "AccessDenied", text, ns="sts")


def _claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _bytes_of(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
