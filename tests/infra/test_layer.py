from __future__ import annotations

import importlib.util
import marshal
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cdk.constructs.byte_code import compiled
from spotlake.errors import ConfigurationError
from spotlake_local.workspace import ROOT, host_architecture
from tests.infra.conftest import Synthesised


@pytest.fixture(scope="module")
def build() -> ModuleType:
    specification = importlib.util.spec_from_file_location("layers_build", ROOT / "layers/build.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def layer() -> Path:
    return ROOT / f"build/layers/dependencies-{host_architecture()}" / "python"


def test_the_layer_holds_what_the_library_needs_and_not_what_the_runtime_has(layer: Path) -> None:
    present = {path.name for path in layer.iterdir()}
    assert {"aws_lambda_powertools", "azure", "orjson", "requests", "yaml"} <= present
    assert present & {"boto3", "botocore", "s3transfer", "bin"} == set()


def test_cold_starts_compile_nothing(layer: Path) -> None:
    sources = [path for path in layer.rglob("*.py") if path.stem.isidentifier()]
    compiled = {Path(importlib.util.cache_from_source(str(path))) for path in sources}
    assert [path for path in compiled if not path.exists()] == []
    head = importlib.util.cache_from_source(str(layer / "requests/__init__.py"))
    body = Path(head).read_bytes()
    assert body[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(body[4:8], "little") == 0b01  # by hash, never checked (PEP 552)
    assert marshal.loads(body[16:]).co_filename == "/opt/python/requests/__init__.py"  # noqa: S302 - our own build


def test_the_stack_deploys_the_compiled_layer(synthesised: Synthesised) -> None:
    (deployed,) = synthesised.folder.glob("asset.*/python/aws_lambda_powertools")
    assert (deployed / "__pycache__").is_dir()


def test_our_own_library_is_deployed_compiled_as_it_stands(synthesised: Synthesised) -> None:
    (deployed,) = synthesised.folder.glob("asset.*/python/spotlake")
    library = ROOT / "layers/common/python/spotlake"
    sources = {path.relative_to(library) for path in library.rglob("*.py")}
    assert {path.relative_to(deployed) for path in deployed.rglob("*.py")} == sources
    for source in sources:
        assert (deployed / source).read_bytes() == (library / source).read_bytes()
        body = Path(importlib.util.cache_from_source(str(deployed / source))).read_bytes()
        assert body[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(body[4:8], "little") == 0b01
        assert body[8:16] == importlib.util.source_hash((library / source).read_bytes())


def test_a_changed_source_is_compiled_anew(tmp_path: Path) -> None:
    sources, folder = tmp_path / "layer", tmp_path / "built"
    sources.mkdir()
    (sources / "one.py").write_text("NUMBER = 1")
    first, digest = compiled(sources, folder)
    assert compiled(sources, folder) == (first, digest)
    (sources / "one.py").write_text("NUMBER = 2")
    second, changed = compiled(sources, folder)
    assert (second != first, changed != digest) == (True, True)
    code = marshal.loads(next(second.glob("__pycache__/*.pyc")).read_bytes()[16:])  # noqa: S302 - our own build
    assert 2 in code.co_consts


def test_a_module_that_does_not_compile_is_no_layer(tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/one.py").write_text("def")
    with pytest.raises(ConfigurationError, match="does not compile"):
        compiled(tmp_path / "layer", tmp_path / "built")
    assert list((tmp_path / "built").iterdir()) == []


def test_the_requirements_are_pinned_and_hashed(build: ModuleType) -> None:
    lines = build.locked_requirements().splitlines()
    assert all("==" in line for line in lines if not line.startswith(" "))
    assert sum("--hash=sha256:" in line for line in lines) >= len([line for line in lines if "==" in line])
    assert not [line for line in lines if line.startswith(("boto3", "botocore", "s3transfer"))]


def test_the_same_is_not_built_twice(build: ModuleType, tmp_path: Path) -> None:
    assert build.build("x86_64", tmp_path / "layer", "") is True
    assert build.build("x86_64", tmp_path / "layer", "") is False
    assert build.build("arm64", tmp_path / "layer", "") is True  # another architecture is another layer


def test_a_package_without_a_wheel_is_an_error_that_says_so(build: ModuleType, tmp_path: Path) -> None:
    unknown = "no-such-package==1.0 --hash=sha256:" + "0" * 64
    with pytest.raises(build.LayerError, match="uv pip failed"):
        build.build("arm64", tmp_path / "layer", "-f /nonexistent\n--no-index\n" + unknown)
    assert not (tmp_path / "layer").exists()


def test_too_much_is_refused_before_lambda_does(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("functions/plan", "layers/common", "layer"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "code.py").write_text("#" * 100)
    assert build.require_within_limit(tmp_path / "layer", root=tmp_path) == 300
    monkeypatch.setattr(build, "LIMIT_BYTES", 299)
    with pytest.raises(build.LayerError, match="move a dependency"):
        build.require_within_limit(tmp_path / "layer", root=tmp_path)


def test_the_command_says_the_size(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["--arch", host_architecture()]) == 0
    assert "MB of 250 MB" in capsys.readouterr().out
    assert "layers_build" not in sys.modules
