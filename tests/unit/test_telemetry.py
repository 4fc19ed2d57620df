from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from spotlake import secrecy
from spotlake.azure.http import HttpClient
from spotlake.errors import ConfigurationError, SignInError
from spotlake.telemetry import Telemetry, observed
from tests.support.scripted import made, wired


@pytest.fixture(autouse=True)
def _loggers_of_this_test() -> Iterator[None]:
    """Powertools keeps a logger of each name, which writes where the test that made it wrote: each makes its own."""
    yield
    Telemetry.of.cache_clear()
    known = logging.Logger.manager.loggerDict
    for name in [name for name, one in known.items() if hasattr(one, "init")]:
        del known[name]


class Context:
    aws_request_id = "request-1"
    memory_limit_in_mb = 10_240  # far from whatever the tests before have left in this process

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def emf_records(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def metrics_of(record: dict[str, Any]) -> set[str]:
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("SpotLake/AzureTest", [["service"]])
    return {one["Name"] for one in directive["Metrics"]}


def test_one_record_with_duration_and_memory_as_metrics_and_the_result_as_a_property(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @observed("price", "spot_price")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"rows": 3, "coverage_percent": 1.0, "counts": {"pages": 2, "requests": 4}}

    result = handler({"region": "koreacentral", "run": {"run_id": "20251215T1000Z"}}, Context())
    assert result["rows"] == 3
    assert result["peak_memory_mb"] > 1
    assert result["memory_limit_mb"] == Context.memory_limit_in_mb
    assert datetime.fromisoformat(result["began_at"]).tzinfo is not None
    (record,) = emf_records(capsys.readouterr().out)
    assert metrics_of(record) == {"DurationSeconds", "PeakMemoryMb"}  # of merge alone is coverage a metric
    names = ("service", "dataset", "region", "run_id", "request_id", "message")
    said = ["price", "spot_price", "koreacentral", "20251215T1000Z", "request-1", "price done"]
    assert [record[name] for name in names] == said
    assert record["result"] == {"rows": 3, "coverage_percent": 1.0, "counts": {"pages": 2, "requests": 4}}
    assert record["PeakMemoryMb"] == [result["peak_memory_mb"]]


def test_numbers_of_a_run_are_metrics_of_merge_and_plan_alone(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = {"coverage_percent": 99.5, "data_findings": 0, "quota_left": 7, "rows_difference_percent": None}
    for service in ("merge", "plan", "report"):
        observed(service)(lambda event, context: numbers)({}, Context())
    found = [metrics_of(one) - {"DurationSeconds", "PeakMemoryMb"} for one in emf_records(capsys.readouterr().out)]
    assert found == [{"CoveragePercent", "DataFindings"}, {"QuotaLeft"}, set()]


@pytest.mark.parametrize(("hour", "sent"), [(12, True), (13, False), (17, False), (18, True)])
def test_functions_send_metrics_in_one_hour_of_six_and_properties_always(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, hour: int, sent: bool
) -> None:
    monkeypatch.setenv("SPOTLAKE_FUNCTION_METRICS_EVERY_HOURS", "6")
    monkeypatch.setattr("spotlake.telemetry.time.time", lambda: hour * 3600.0 + 1800.0)
    for service in ("price", "merge"):
        observed(service)(lambda event, context: {"coverage_percent": 99.5})({}, Context())
    price, merge = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    of_functions = {"DurationSeconds", "PeakMemoryMb"}
    assert metrics_of(merge) == ({"CoveragePercent"} | of_functions if sent else {"CoveragePercent"})
    assert ("_aws" in price) is sent
    assert {*of_functions, "service", "message", "level"} <= price.keys() & merge.keys()


_PROCESS = """
from spotlake.telemetry import observed

class Context:
    aws_request_id, memory_limit_in_mb = "request-1", 512
    def get_remaining_time_in_millis(self):
        return 60_000

handler = observed("notify")(lambda event, context: {})
for _ in range(2):
    print(handler({}, Context()).get("init_seconds"))
"""


def test_a_process_tells_once_how_long_its_start_took() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, check=True)
    most = time.monotonic() - began
    cold = [record["cold"] for record in emf_records(done.stdout)]
    first, second = (line for line in done.stdout.splitlines() if not line.startswith("{"))
    assert cold == [True, False]
    assert 0.02 < float(first) < most + 0.02  # importing takes more than that; the kernel counts in 10 ms
    assert second == "None"


def test_a_failure_keeps_its_class_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    @observed("sps", "sps")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise SignInError("AADSTS7000222")

    with pytest.raises(SignInError):
        handler({"region": "eastus"}, Context())
    text = capsys.readouterr().out
    record, problem = emf_records(text)
    assert (record["message"], record["error"], record["service"]) == ("sps failed", "SignInError", "sps")
    assert metrics_of(problem) == {"SignInProblems"}
    names = ("service", "function", "region", "error", "SignInProblems")
    assert [problem[name] for name in names] == ["any", "sps", "eastus", "SignInError", [1]]
    assert "correct the setting, permission or secret" in text


def test_a_lost_azure_auth_counts_as_a_sign_in_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    @observed("sps", "sps")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        raise ConfigurationError("cannot read item 'login_auth_az_true' of table 'AzureAuth'")

    with pytest.raises(ConfigurationError):
        handler({"region": "eastus"}, Context())
    _, problem = emf_records(capsys.readouterr().out)
    assert problem["SignInProblems"] == [1]


def test_a_secret_that_ends_soon_is_told_with_the_days_that_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    for soon, days in ((0, 31), (1, 29)):
        observed("plan")(lambda event, context: event)({"secret_ends_soon": soon, "secret_days_left": days}, Context())
    *_, problem = records = emf_records(capsys.readouterr().out)
    assert len(records) == 3
    assert (problem["SignInProblems"], problem["secret_days_left"]) == ([1], 29)


def test_memory_near_its_limit_is_told_by_the_function_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    first: dict[str, Any] = observed("report")(lambda event, context: {})({}, Context())
    peak = first["peak_memory_mb"]
    capsys.readouterr()
    for percent in (80, 90):
        context = Context()
        context.memory_limit_in_mb = int(100 * peak / percent)
        observed("report")(lambda event, context: {})({}, context)
    *_, problem = records = emf_records(capsys.readouterr().out)
    assert len(records) == 3
    assert (problem["NearMemoryLimit"], problem["function"]) == ([1], "report")


def test_a_function_that_will_be_killed_tells_before_that_its_time_runs_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    write = Telemetry.tell

    def tell(self: Telemetry, problem: str, **properties: object) -> None:
        write(self, problem, **properties)
        told.set()

    monkeypatch.setattr(Telemetry, "tell", tell)
    context = Context()
    context.get_remaining_time_in_millis = lambda: 1  # type: ignore[method-assign]

    @observed("merge")
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        assert told.wait(timeout=60)  # killed here, it would have told all the same
        return {}

    handler({"run": {"run_id": "20251215T1000Z"}}, context)
    problem, _ = emf_records(capsys.readouterr().out)
    assert metrics_of(problem) == {"NearTimeout"}
    assert (problem["function"], problem["run_id"]) == ("merge", "20251215T1000Z")


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
