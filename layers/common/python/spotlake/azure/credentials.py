"""Our identity in Azure: checked where it is read, and shown nowhere.

Secrets stay inside ``AzureCredentials``, whose repr hides them. They never reach a log, an error or an event. An error
names the field and the place, and never the value: a secret may stand in the wrong field.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from spotlake.errors import ConfigurationError
from spotlake.secrecy import keep_secret

_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE | re.ASCII)


class SignInMethod(Enum):
    """How we prove who we are (setting ``azure_sign_in``)."""

    SECRET = "secret"  # noqa: S105 - the name of a method
    CERTIFICATE = "certificate"
    FEDERATION = "federation"


_PROOF = {
    SignInMethod.SECRET: ("client_secret",),
    SignInMethod.CERTIFICATE: ("client_certificate",),
    SignInMethod.FEDERATION: (),
}


@dataclass(frozen=True)
class AzureCredentials:
    """Our identity in Azure.

    Attributes:
        tenant_id: The tenant: a GUID, or a domain of the tenant.
        client_id: The application: a GUID.
        client_secret: The application's secret; empty for another method.
        subscriptions: GUIDs in the given order; the first one is the reference.
        client_certificate: Certificate and private key as PEM; empty for another method.
        method: How we prove who we are.
        expires_at: When the secret or certificate ends; None: not known, or there is none.
    """

    tenant_id: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    subscriptions: tuple[str, ...] = field(repr=False)
    client_certificate: str = field(default="", repr=False)
    method: SignInMethod = SignInMethod.SECRET
    expires_at: datetime | None = None

    def days_left(self, now_at: datetime) -> int | None:
        """Whole days until the secret or certificate ends, negative after it; None where the end is not known."""
        return None if self.expires_at is None else (self.expires_at - now_at) // timedelta(days=1)


def credentials_of(
    record: Mapping[str, str], place: str, method: SignInMethod = SignInMethod.SECRET, *, expires: str = ""
) -> AzureCredentials:
    """Check a stored record, and make credentials of it.

    Args:
        record: ``{"tenant_id", "client_id", "subscriptions": "a, b,,c"}`` with "client_secret" or
            "client_certificate", and "secret_expires_at" where somebody wrote it. Production's list of subscriptions
            has blanks and empty entries; they are dropped.
        place: Where the record stands, for errors.
        method: How to sign in.
        expires: End of the secret (ISO date) that a setting says; it is used where the record says none.

    Raises:
        ConfigurationError: A field is missing, empty, of a wrong form, or a subscription stands in it twice.
    """
    values = {name: text.strip() for name, text in record.items()}
    for name in ("client_secret", "client_certificate"):
        keep_secret(values.get(name, ""))
    subscriptions = [part.strip().lower() for part in values.get("subscriptions", "").split(",") if part.strip()]
    needed = ("tenant_id", "client_id", *_PROOF[method])
    missing = [name for name in needed if not values.get(name)] + ([] if subscriptions else ["subscriptions"])
    if missing:
        raise ConfigurationError(f"{place} lacks {', '.join(missing)}")
    if not _is_guid(values["tenant_id"]) and not _DOMAIN.fullmatch(values["tenant_id"]):
        raise ConfigurationError(f"{place}: tenant_id is not a GUID (as `az account show --query tenantId` shows it)")
    if not _is_guid(values["client_id"]):
        raise ConfigurationError(f"{place}: client_id is not a GUID (the application's appId)")
    for number, name in enumerate(subscriptions, 1):
        if not _is_guid(name):
            raise ConfigurationError(f"{place}: entry {number} of subscriptions is not a GUID")
        if name in subscriptions[: number - 1]:
            raise ConfigurationError(f"{place}: entry {number} of subscriptions stands there twice")
    proof = {name: values[name] for name in _PROOF[method]}
    return AzureCredentials(
        tenant_id=values["tenant_id"],
        client_id=values["client_id"],
        client_secret=proof.get("client_secret", ""),
        subscriptions=tuple(subscriptions),
        client_certificate=proof.get("client_certificate", ""),
        method=method,
        expires_at=_end_of(proof, values.get("secret_expires_at") or expires, place),
    )


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _end_of(proof: Mapping[str, str], text: str, place: str) -> datetime | None:
    """When the proof ends. A certificate says so itself; federation has nothing that ends."""
    if not proof:
        return None
    if "client_certificate" in proof:
        return _end_of_certificate(proof["client_certificate"], place)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{place}: secret_expires_at is not a date such as 2027-11-23") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _end_of_certificate(pem: str, place: str) -> datetime:
    from cryptography import x509  # azure-identity brings it, and reads the certificate with it

    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except ValueError:
        said = "client_certificate is not a certificate with its private key, as PEM"
        raise ConfigurationError(f"{place}: {said}") from None
