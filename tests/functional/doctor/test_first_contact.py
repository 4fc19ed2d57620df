"""`AZURE=live`, as first contact: it ends before anything is started, by name and with the remedy that fits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from spotlake.planning.run_input import parse_input
from spotlake_local.azure.simulated import SimulatedAzure
from spotlake_local.cli import main
from spotlake_local.first_contact import first_contact
from tests.support.azure import azure, azure_process

__all__ = ["azure", "azure_process"]

EVERYTHING = parse_input({}, now_at=None)


@pytest.fixture
def live(azure: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The simulator in the place of the real Azure, and its credentials in the environment; one subscription."""
    azure.set_clock(datetime.now(UTC))
    for name, value in {
        "AZURE_TENANT_ID": azure.tenant_id,
        "AZURE_CLIENT_ID": azure.client_id,
        "AZURE_CLIENT_SECRET": azure.client_secret,
        "AZURE_SUBSCRIPTION_IDS": azure.subscriptions[0],
        **{f"SPOTLAKE_{name.upper()}": value for name, value in azure.settings().items()},
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "value", "said", "way_out"),
    [
        ("AZURE_CLIENT_SECRET", "another", "sign-in: Azure refused the sign-in (AADSTS7000215)", "export AZURE_"),
        ("AZURE_CLIENT_ID", "00000000-0000-4000-8000-00000000000f", "(AADSTS700016)", "az ad app list"),
        ("AZURE_TENANT_ID", "00000000-0000-4000-8000-00000000000f", "(AADSTS90002)", "az account show"),
        ("AZURE_CLIENT_ID", "my-app", "AZURE_CLIENT_ID is not a GUID", "appId"),
        ("AZURE_SUBSCRIPTION_IDS", "", "needs the environment variables AZURE_SUBSCRIPTION_IDS", ""),
        ("AZURE_SUBSCRIPTION_IDS", "00000000-0000-4000-8000-00000000000f", "lacks Reader and", "az role assignment"),
        ("SPOTLAKE_AZURE_AUTHORITY_URL", "https://127.0.0.1:9", "clock, network: https://127.0.0.1:9 does", "curl -I"),
        ("SPOTLAKE_AZURE_MANAGEMENT_URL", "http://127.0.0.1:9", "resource manager: http://127.0.0.1:9 is", "status"),
        ("SPOTLAKE_AZURE_RETAIL_URL", "http://127.0.0.1:9", "prices: http://127.0.0.1:9 is away", "status"),
    ],
    ids=["secret", "client", "tenant", "form", "missing", "subscription", "network", "arm", "prices"],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_started(
    live: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    said: str,
    way_out: str,
) -> None:
    live.setenv(variable, value)
    assert main(["run", "--azure", "live", "--state-dir", str(tmp_path / "state")]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert way_out in told.err
    assert "correct the setting" not in told.err
    assert not (tmp_path / "state").exists()


def test_a_good_contact_says_what_the_quota_gives(live: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    first_contact(EVERYTHING, lines.append)
    assert [one for one in lines if one.startswith("1 subscription: the quota gives ")]
    (all_of_it,) = [one for one in lines if "all of them every" in one]
    assert " regions x " in all_of_it
    assert [one for one in lines if one.startswith("for every score in every run: ")]
    lines.clear()
    first_contact(
        parse_input({"regions": ["koreacentral"], "instance_types": ["Standard_D2*"]}, now_at=None), lines.append
    )
    assert lines[-1].endswith("every score in every run")


def test_one_subscription_without_its_role_is_named_and_the_others_go_on(
    live: pytest.MonkeyPatch, azure: SimulatedAzure
) -> None:
    live.setenv("AZURE_SUBSCRIPTION_IDS", ",".join(azure.subscriptions[:3]))
    azure.options(no_role=[azure.subscriptions[1]])
    lines: list[str] = []
    first_contact(EVERYTHING, lines.append)
    assert [one for one in lines if one.startswith(f"roles: subscription {azure.subscriptions[1]} lacks Reader")]
    assert [one for one in lines if one.startswith("2 subscriptions: ")]
