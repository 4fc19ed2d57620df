"""`cdk bootstrap` runs the app too: on a machine that never made the layer, the app makes it and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdk.constructs import functions
from spotlake.errors import ConfigurationError
from spotlake_local.workspace import ROOT
from tests.infra.conftest import Synthesised


def test_a_missing_layer_is_made_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers/build.py").write_text("import sys; print('made', *sys.argv[1:])")
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    functions._make_layers("arm64")
    said = capfd.readouterr()
    # What the app prints on standard output is the CLI's to read.
    assert said.out == ""
    assert "making the layers of dependencies for arm64" in said.err
    assert "made --arch arm64" in said.err


def test_a_layer_that_cannot_be_made_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "ROOT", tmp_path)  # there is no layers/build.py
    with pytest.raises(ConfigurationError, match="the layers for arm64 cannot be made"):
        functions._make_layers("arm64")


def test_make_deploy_adopts_and_sees_to_the_image() -> None:
    words = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "$(CDK) deploy --import-existing-resources --outputs-file $(OUTPUTS) $$CDK_ARGS" in words
    assert "$(SPOTLAKE) image --outputs $(OUTPUTS)" in words


@pytest.fixture
def signed_out(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that is not signed in to AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    return {**kept, **nowhere}


def test_make_deploy_without_credentials_ends_in_one_sentence(signed_out: dict[str, str]) -> None:
    command = [sys.executable, "-m", "cdk.signed_in"]
    done = subprocess.run(command, cwd=ROOT, env=signed_out, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "aws configure sso" in done.stderr


def test_a_plain_deploy_without_credentials_ends_in_one_sentence(
    synthesised: Synthesised, signed_out: dict[str, str]
) -> None:
    words = ["deploy", "spotlake-azure-test", "--app", str(synthesised.folder), "--no-notices", "--no-color"]
    command = [str(ROOT / "node_modules/.bin/cdk"), *words]
    done = subprocess.run(command, cwd=ROOT, env=signed_out, capture_output=True, text=True, check=False)
    # Where the variable CI is set, the CLI writes its progress on standard output.
    lines = f"{done.stdout}\n{done.stderr}".splitlines()
    assert done.returncode == 1
    (said,) = [line for line in lines if line and "Synthesis time" not in line]
    assert said.startswith("Unable to resolve AWS account to use.")
