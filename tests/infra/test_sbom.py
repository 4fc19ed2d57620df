"""``make sbom`` lists what the lock files hold, and what we give to AWS brings its licences."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from spotlake_local.workspace import ROOT

ARCH = platform.machine().replace("aarch64", "arm64")
LAYERS = [ROOT / "build/layers" / f"{name}-{ARCH}" / "python" for name in ("dependencies", "history")]


@pytest.fixture(scope="module")
def lists() -> dict[str, dict[str, Any]]:
    subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, check=True, capture_output=True)
    names = ("runtime", "python", "node")
    return {name: json.loads((ROOT / f"build/sbom/{name}.cdx.json").read_text()) for name in names}


def listed(bom: dict[str, Any]) -> dict[str, str]:
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    return {one["purl"].split("?")[0].split(" ")[0]: one["version"] for one in bom["components"] if "purl" in one}


def test_every_package_of_both_lock_files_is_listed(lists: dict[str, dict[str, Any]]) -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    expected = {f"pkg:pypi/{one['name']}@{one['version']}" for one in locked if "registry" in one["source"]}
    assert listed(lists["python"]).keys() == expected
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    expected = {
        f"pkg:npm/{path.rpartition('node_modules/')[2].replace('@', '%40')}@{one['version']}"
        for path, one in packages.items()
        if path
    }
    assert listed(lists["node"]).keys() == expected


def test_every_listed_python_package_has_its_hashes(lists: dict[str, dict[str, Any]]) -> None:
    for one in lists["python"]["components"]:
        hashes = [found["content"] for place in one["externalReferences"] for found in place["hashes"]]
        assert hashes, one["name"]
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes)


def test_what_runs_in_aws_is_listed_and_brings_its_licence(lists: dict[str, dict[str, Any]]) -> None:
    runtime = {one["name"]: one["version"] for one in lists["runtime"]["components"]}
    found = {folder.name.removesuffix(".dist-info"): folder for layer in LAYERS for folder in layer.glob("*.dist-info")}
    assert len(found) > 15
    for name, folder in found.items():
        package, _, version = name.rpartition("-")
        assert runtime[package.replace("_", "-").lower()] == version
        assert licences(folder), f"{name} lies in the layer without its licence"


def licences(folder: Path) -> list[Path]:
    """Texts of a licence that lie in a package's folder of metadata."""
    return [one for one in folder.rglob("*") if one.is_file() and re.search("licen[cs]e|copying", one.name, re.I)]
