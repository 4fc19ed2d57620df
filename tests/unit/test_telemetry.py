from __future__ import annotations

import base64
import json
import logging
from datetime import datetime
from typing import Any

import pytest
import requests

from spotlake import secrecy
from spotlake.azure.http import HttpClient
from spotlake.errors import ConfigurationError, SignInError
from spotlake.telemetry import observed
from tests.support.scripted import made, wired


class Context:
    aws_request_id = "request-1"
    memory_limit_in_mb = 512

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def emf_records(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_one_record_with_duration_memory_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    @observed("price", "spot_price")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"rows": 3, "counts": {"pages": 2, "requests": 4}}

    result = handler({"region": "koreacentral", "run": {"run_id": "20251215T1000Z"}}, Context())
    assert result["rows"] == 3
    assert result["peak_memory_mb"] > 1
    assert result["memory_limit_mb"] == Context.memory_limit_in_mb
    assert datetime.fromisoformat(result["began_at"]).tzinfo is not None
    (record,) = emf_records(capsys.readouterr().out)
    metadata = record["_aws"]["CloudWatchMetrics"][0]
    assert metadata["Namespace"] == "SpotLake/AzureTest"
    assert [set(names) for names in metadata["Dimensions"]] == [{"service", "dataset"}]
    assert record["region"] == "koreacentral"
    values = {name: record[name][0] for name in ("Rows", "Pages", "Requests", "Failures")}
    assert values == {"Rows": 3, "Pages": 2, "Requests": 4, "Failures": 0}
    assert record["PeakMemoryMb"][0] == result["peak_memory_mb"]


def test_a_failure_keeps_its_class_and_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    @observed("sps", "sps")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise SignInError("AADSTS7000222")

    with pytest.raises(SignInError):
        handler({"region": "eastus"}, Context())
    text = capsys.readouterr().out
    (record,) = emf_records(text)
    assert record["Failures"] == record["SignInFailures"] == [1]
    assert "correct the setting, permission or secret" in text


def test_a_lost_azure_auth_counts_as_a_sign_in_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    @observed("sps", "sps")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise ConfigurationError("cannot read item 'login_auth_az_true' of table 'AzureAuth'")

    with pytest.raises(ConfigurationError):
        handler({"region": "eastus"}, Context())
    (record,) = emf_records(capsys.readouterr().out)
    assert record["SignInFailures"] == [1]


def test_the_library_s_own_lines_have_the_same_form_and_say_details_at_debug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")

    @observed("debugging", "sps")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        HttpClient("locations", session).send("GET", "https://127.0.0.1:1/subscriptions/secret-id")
        return {}

    session = requests.Session()
    session.mount("https://", Answering())
    handler({"region": "eastus", "run": {"run_id": "20251215T1000Z"}}, Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    (detail,) = [line for line in lines if line.get("level") == "DEBUG"]
    assert detail["message"].startswith("locations: 200 after ")
    assert detail["message"].endswith("(correlation-1)")
    names = ("name", "service", "run_id", "region", "dataset", "request_id")
    assert [detail[name] for name in names] == [
        "spotlake.azure.http", "debugging", "20251215T1000Z", "eastus", "sps", "request-1",
    ]  # fmt: skip
    assert "secret" not in json.dumps(lines)


class Answering(requests.adapters.BaseAdapter):
    """Answers without a network."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        return wired(made(200, x_ms_correlation_request_id="correlation-1"))

    def close(self) -> None:
        return


def test_a_secret_leaves_neither_in_a_line_nor_in_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrecy, "_known", {})
    secret = 'canary/"of~a secret'
    secrecy.keep_secret(secret)

    @observed("canary")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        # A library's own words, and ours: as message, as argument, as a field and as the cause of an error.
        logger = logging.getLogger("spotlake.canary")
        logger.warning(f"sent {secret}")
        logger.warning("sent %s", secret)
        logger.warning("sent", extra={"headers": {"x": secret}, "b64": base64.b64encode(secret.encode()).decode()})
        raise SignInError(f"refused: {secret}") from ValueError(secret)

    with pytest.raises(SignInError) as raised:
        handler({}, Context())
    written = capsys.readouterr().out
    assert written.count("(hidden)") >= 5
    for text in (written, str(raised.value), str(raised.value.__cause__)):
        assert "canary/" not in text
        assert "of~a" not in text
        assert base64.b64encode(secret.encode()).decode()[4:-4] not in text
