"""Signs in: reads the item of ``AzureAuth``; azure-identity makes tokens from the item.

Secrets stay inside ``AzureCredentials``, whose repr hides them. They never reach a log, an error or an event. Errors
carry Azure's code (AADSTS...) and nothing else.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from spotlake.errors import ConfigurationError, SignInError, SignInUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

SCOPE = "https://management.azure.com/.default"
_AAD_CODE = re.compile(r"AADSTS\d+")


@dataclass(frozen=True)
class AzureCredentials:
    """Our identity in Azure. ``subscriptions`` keeps the given order; the first one is the reference."""

    tenant_id: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    subscriptions: tuple[str, ...] = field(repr=False)


def read_credentials(client: DynamoDBClient, table: str, item_id: str) -> AzureCredentials:
    """Read the item with a consistent read, so that a rotated secret counts at once.

    Production keeps the item in this shape: ``{"id": item_id, "data": {"tenant_id", "client_id",
    "client_secret", "subscriptions": "a, b,,c"}}``; blanks and empty entries occur.

    Raises:
        ConfigurationError: The table or item is missing, or a field is missing or empty.
    """
    try:
        item = client.get_item(TableName=table, Key={"id": {"S": item_id}}, ConsistentRead=True).get("Item")
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise ConfigurationError(f"cannot read item {item_id!r} of table {table!r}: {code}") from error
    data = item.get("data", {}).get("M", {}) if item else {}
    values = {name: str(data.get(name, {}).get("S", "")).strip() for name in _FIELDS}
    subscriptions = tuple(dict.fromkeys(part.strip() for part in values["subscriptions"].split(",") if part.strip()))
    missing = [name for name in _FIELDS if not values[name]] + ([] if subscriptions else ["subscriptions"])
    if missing:
        raise ConfigurationError(
            f"item {item_id!r} of table {table!r}: map 'data' lacks {', '.join(dict.fromkeys(missing))}"
        )
    return AzureCredentials(values["tenant_id"], values["client_id"], values["client_secret"], subscriptions)


_FIELDS = ("tenant_id", "client_id", "client_secret", "subscriptions")


class TokenSource:
    """Bearer headers with a valid token: azure-identity caches the token and renews it in time."""

    def __init__(
        self,
        credentials: AzureCredentials,
        *,
        authority_url: str | None = None,
        ca_file: str | None = None,
        make_credential: Callable[..., Any] | None = None,
    ) -> None:
        """Prepare the credential without any request.

        Args:
            credentials: From ``read_credentials``.
            authority_url: Another token endpoint than Microsoft's (https); the simulator's, locally.
            ca_file: Certificate file of the authority that signed the endpoint.
            make_credential: Stands in for ``azure.identity.ClientSecretCredential`` in tests.
        """
        self._credentials = credentials
        self._options: dict[str, object] = {}
        if authority_url:
            # Without this option azure-identity asks login.microsoftonline.com about the authority.
            self._options = {"authority": authority_url, "disable_instance_discovery": True}
        if ca_file:
            self._options["connection_verify"] = ca_file
        self._make_credential = make_credential
        self._credential: Any = None
        self._refused_token = ""
        self._lock = threading.Lock()

    def headers(self) -> dict[str, str]:
        """``{"Authorization": "Bearer ..."}`` with a token that is valid now.

        Raises:
            SignInError: Azure refused the credentials; the text holds Azure's code and what to do.
            SignInUnavailableError: The sign-in endpoint did not answer, or gave an invalid answer.
        """
        from azure.core.exceptions import ClientAuthenticationError  # 0.25 s; the price collector never signs in

        try:
            with self._lock:
                if self._credential is None:
                    self._credential = self._new_credential()
                credential = self._credential
            return {"Authorization": f"Bearer {credential.get_token(SCOPE).token}"}
        except ClientAuthenticationError as error:
            code = _AAD_CODE.search(str(error))
            raise _refusal(code.group() if code else None) from None  # its text may hold the client id
        except ValueError as error:
            raise SignInError("tenant_id, client_id or client_secret in AzureAuth has a wrong form") from error

    def renew(self, refused: Mapping[str, str]) -> None:
        """Drop the token of ``refused``, the headers that Azure answered with 401. The next token is a new one.

        Threads that were refused with the same token renew the token once.

        Args:
            refused: Headers, as ``headers`` returned them.
        """
        token = refused.get("Authorization", "")
        with self._lock:
            if token != self._refused_token:
                self._refused_token = token
                self._credential = None

    def _new_credential(self) -> Any:
        from azure.identity import ClientSecretCredential

        # Their own lines hold the client id and whole texts of the authority; what failed is in our errors.
        for library in ("azure", "msal"):
            logging.getLogger(library).setLevel(logging.CRITICAL)

        make = self._make_credential or ClientSecretCredential
        return make(
            self._credentials.tenant_id,
            self._credentials.client_id,
            self._credentials.client_secret,
            **self._options,
        )


def _refusal(code: str | None) -> SignInError | SignInUnavailableError:
    if code is None:
        return SignInUnavailableError("sign-in", "the endpoint did not answer, or not as it should")
    return SignInError(
        f"Azure refused the sign-in ({code}): check tenant_id, client_id and client_secret in AzureAuth, "
        "and whether the secret has expired"
    )
