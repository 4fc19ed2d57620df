"""`cdk bootstrap` runs the app too: on a machine that never made the layer, the app makes it and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdk.constructs import functions
from spotlake.errors import ConfigurationError


def test_a_missing_layer_is_made_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers/build.py").write_text("import sys; print('made', *sys.argv[1:])")
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    functions._make_layer("arm64")
    said = capfd.readouterr()
    # What the app prints on standard output is the CLI's to read.
    assert said.out == ""
    assert "making the layer of dependencies for arm64" in said.err
    assert "made --arch arm64" in said.err


def test_a_layer_that_cannot_be_made_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "ROOT", tmp_path)  # there is no layers/build.py
    with pytest.raises(ConfigurationError, match="the layer for arm64 cannot be made"):
        functions._make_layer("arm64")
