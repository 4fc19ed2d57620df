"""Reads why a sign-in was refused: the AADSTS code, and which part of the sign-in is wrong (pure).

Codes: Microsoft Learn, "Microsoft Entra authentication and authorization error codes", and public issues of
Azure/login and Azure/azure-workload-identity that show 700211, 700213 and 7002138 word for word (read 2026-11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_CODE = re.compile(r"AADSTS(\d{4,9})(?!\d)", re.ASCII)


class Part(Enum):
    """The part of a sign-in that Azure refused."""

    TENANT = "tenant"
    CLIENT = "client"
    SECRET = "secret"  # noqa: S105 - the name of a part
    SECRET_EXPIRED = "secret expired"  # noqa: S105 - the name of a part
    CERTIFICATE = "certificate"
    CLOCK = "clock"
    ISSUER = "federation: issuer"
    AUDIENCE = "federation: audience"
    SUBJECT = "federation: subject"
    POLICY = "policy"
    OTHER = "other"


@dataclass(frozen=True)
class Refusal:
    """Why Azure refused.

    Attributes:
        code: Azure's code, "AADSTS7000215".
        part: The part that is wrong.
        text: One clause that says so.
    """

    code: str
    part: Part
    text: str


_TEXTS = {
    Part.TENANT: "there is no such tenant: tenant_id is wrong",
    Part.CLIENT: "the tenant has no such application, or it is disabled: client_id is wrong, or of another tenant",
    Part.SECRET: "the client secret is wrong: give the secret's value, not its id",
    Part.SECRET_EXPIRED: "the client secret has expired: make a new one",
    Part.CERTIFICATE: "the application does not have this certificate: upload its public part, or give the right one",
    Part.CLOCK: "the assertion is not valid at this time: a clock is wrong, or the assertion is too old",
    Part.ISSUER: "federation: the application trusts no such issuer",
    Part.AUDIENCE: "federation: the application expects another audience than the assertion has",
    Part.SUBJECT: "federation: the application trusts another subject (the role's ARN, in its exact casing)",
    Part.POLICY: "a policy of the tenant (Conditional Access) blocks this sign-in",
    Part.OTHER: "check tenant_id, client_id and the secret, certificate or federation",
}
_PARTS = {
    90002: Part.TENANT,
    900021: Part.TENANT,
    900023: Part.TENANT,
    900382: Part.TENANT,
    700016: Part.CLIENT,
    7000112: Part.CLIENT,
    7000229: Part.CLIENT,
    7000215: Part.SECRET,
    7000216: Part.SECRET,
    7000222: Part.SECRET_EXPIRED,
    700027: Part.CERTIFICATE,
    700030: Part.CERTIFICATE,
    700024: Part.CLOCK,
    50012: Part.CLOCK,
    70021: Part.SUBJECT,  # the older refusal, which named issuer, subject and audience in one text
    53003: Part.POLICY,
    53004: Part.POLICY,
}
# Kinds of one refusal have a further digit (7002137, 7002138: how a subject was compared).
_FEDERATION = {"700211": Part.ISSUER, "700212": Part.AUDIENCE, "700213": Part.SUBJECT}
# "Try again": the credentials may be right.
_PASSING = frozenset({90006, 90012, 90033, 90055, 50196})


def refusal_in(text: str) -> Refusal | None:
    """The refusal that a text of Azure or azure-identity names; None: there is none, or Azure is only unwell.

    >>> refusal_in("Authentication failed: AADSTS7000222: The provided client secret keys are expired").part
    <Part.SECRET_EXPIRED: 'secret expired'>
    >>> refusal_in("AADSTS7002138: No matching federated identity record found").part
    <Part.SUBJECT: 'federation: subject'>
    >>> refusal_in("AADSTS90033: A transient error has occurred. Please try again.") is None
    True
    """
    found = _CODE.search(text)
    if found is None or int(found[1]) in _PASSING:
        return None
    part = _PARTS.get(int(found[1])) or _FEDERATION.get(found[1][:6]) or Part.OTHER
    return Refusal(found[0], part, _TEXTS[part])


def code_in(text: str) -> str:
    """The AADSTS code in a text; empty when there is none."""
    found = _CODE.search(text)
    return found[0] if found else ""
