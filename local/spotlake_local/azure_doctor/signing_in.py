"""Checks of the way in: the stored identity, this machine's clock and network, the sign-in, the end of the secret."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests

from spotlake.azure.credentials import SignInMethod
from spotlake.azure.sign_in_refusals import Part
from spotlake.errors import ConfigurationError, SignInError, SignInUnavailableError
from spotlake_local.aws_doctor.account import Verdict, passed, to_do
from spotlake_local.azure_doctor.target import Target

_LOGIN = "https://login.microsoftonline.com"
_MOST_SECONDS_OFF = 300.0  # AWS and Entra refuse what is signed at another time than this
_NETWORK = "see this machine's network, DNS and proxy (`curl -I {url}`)"


def credentials(target: Target) -> Verdict:
    """Whether the identity is there and of the right form."""
    try:
        found = target.credentials
    except ConfigurationError as error:
        return to_do(f"{error}: {_put(target)}")
    number = len(found.subscriptions)
    kind = {SignInMethod.SECRET: "client secret"}.get(found.method, found.method.value)
    return passed(f"{target.place}: {kind}, {number} subscription{'s' if number > 1 else ''}")


def _put(target: Target) -> str:
    if target.is_live:
        return "`export` what is missing or wrong, as README says"
    store, region, name = target.settings.auth_store, target.settings.auth_region, target.settings.auth_name
    commands = {
        "table": f"`aws dynamodb put-item --region {region} --table-name {target.settings.auth_table} ...`",
        "secretsmanager": f"`aws secretsmanager create-secret --region {region} --name {name} ...`",
        "ssm": f"`aws ssm put-parameter --region {region} --type SecureString --name {name} ...`",
        "settings": "`make deploy` with -c azure_tenant_id=... -c azure_client_id=... -c azure_subscriptions=...",
    }
    return f"{commands[store]}, as step 2 of docs/deploying.md shows"


def clock(target: Target) -> Verdict:
    """Whether the sign-in page answers, and this machine's clock agrees with it."""
    url = target.settings.azure_authority_url or _LOGIN
    try:
        answer = requests.head(
            url, timeout=(5, 20), verify=target.settings.azure_ca_file or True, allow_redirects=False
        )
    except requests.RequestException as error:
        return to_do(f"{url} does not answer ({type(error).__name__}): {_NETWORK.format(url=url)}")
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return passed(f"{url} answers, without its time")
    off = target.now() - theirs
    if abs(off) > _MOST_SECONDS_OFF:
        side = "ahead of" if off > 0 else "behind"
        words = f"this machine's clock is {abs(off) / 60:.0f} minutes {side} Azure's"
        return to_do(f"{words}: `sudo timedatectl set-ntp true`")
    return passed(f"{url} answers; the clocks agree within {max(1, round(abs(off)))} s")


def sign_in(target: Target) -> Verdict:
    """Whether Azure gives a token."""
    try:
        target.tokens.headers()
    except SignInError as error:
        return to_do(f"{error}: {remedy(error.part, target)}")
    except SignInUnavailableError as error:
        return to_do(f"{error}: try again in some minutes; https://azure.status.microsoft shows disturbances")
    minutes = (target.tokens.expires_at_seconds - target.now()) / 60
    return passed(f"a token for {minutes:.0f} minutes, renewed before it ends")


def remedy(part: str, target: Target) -> str:
    """One sentence with the command to type, for the part of the sign-in that Azure refused."""
    client, ours = target.credentials.client_id, target.settings
    put = f"correct it in {target.place}"
    new_secret = f"`az ad app credential reset --id {client} --append --years 1`, then "
    if target.is_live:
        new_secret += "`export AZURE_CLIENT_SECRET=...`"
    elif ours.auth_store == "table":
        new_secret += "`spotlake ops replace-secret --expires DAY`"
    else:
        new_secret += put
    federated = f"`az ad app federated-credential list --id {client}` shows what it trusts"
    words = {
        Part.TENANT: f"`az account show --query tenantId` shows it; {put}",
        Part.CLIENT: f"`az ad app list --display-name spotlake-collector --query [].appId` shows it; {put}",
        Part.SECRET: new_secret,
        Part.SECRET_EXPIRED: new_secret,
        Part.CERTIFICATE: f"`az ad app credential reset --id {client} --append --cert @certificate.pem`",
        Part.CLOCK: "`sudo timedatectl set-ntp true`",
        Part.ISSUER: f"{federated}; the issuer is that of `aws iam get-outbound-web-identity-federation-info`",
        Part.AUDIENCE: f"{federated}; the audience is {ours.azure_audience} (setting azure_audience)",
        Part.SUBJECT: f"{federated}; the subject is {ours.azure_role_arn or 'the ARN of the calling role'}",
        Part.POLICY: "ask the tenant's administrator to exclude this application",
    }
    return next((said for known, said in words.items() if known.value == part), put)


def end_of_secret(target: Target) -> Verdict:
    """Whether the secret or certificate lasts longer than the alarm's days."""
    method, least = target.credentials.method, target.settings.secret_expiry_alarm_days
    if method is SignInMethod.FEDERATION:
        return passed("nothing is stored, so nothing ends")
    days = target.credentials.days_left(datetime.fromtimestamp(target.now(), UTC))
    if days is None:
        return passed("not known: `spotlake ops replace-secret --expires DAY` or -c secret_expires_at=DAY tells it")
    if days < least:
        part = Part.CERTIFICATE if method is SignInMethod.CERTIFICATE else Part.SECRET_EXPIRED
        return to_do(f"the {method.value} ends in {days} days: {remedy(part.value, target)}")
    return passed(f"in {days} days; the alarm rings at {least}")
