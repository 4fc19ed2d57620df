from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from cdk.constructs.image_build import IMAGE_SOURCES
from spotlake_local.image_source import content_tag
from spotlake_local.workspace import ROOT

REPOSITORY = "registry.example.com/full-run"
ENGINE = """#!/bin/sh
echo "{name} $*" >> "{log}"
{fails}
exit 0
"""


def engine(folder: Path, name: str, *, fails: str = "") -> None:
    """A stand-in that notes what it is told; ``fails``: the first word at which it does."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    wrong = f'[ "$1" = "{fails}" ] && exit 1' if fails else ""
    file.write_text(ENGINE.format(name=name, log=folder / "log", fails=wrong))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def made(folder: Path, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, last words, and what engines were told."""
    folder.mkdir(exist_ok=True)
    for tool in ("sh",):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [str(ROOT / ".venv/bin/spotlake"), "image", *words],
        env={**os.environ, "PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    log = folder / "log"
    return done.returncode, done.stdout + done.stderr, log.read_text().splitlines() if log.exists() else []


def test_docker_builds_for_both_architectures_and_pushes_by_content(tmp_path: Path) -> None:
    engine(tmp_path / "bin", "docker")
    engine(tmp_path / "bin", "podman")
    code, said, told = made(tmp_path / "bin", "--repository", REPOSITORY)
    tagged = f"{REPOSITORY}:{content_tag(ROOT)}"
    assert code == 0, said
    assert tagged in said
    built = "docker buildx build --platform linux/arm64,linux/amd64 --file functions/full_run/Dockerfile"
    assert told == ["docker info", "docker buildx version", f"{built} --tag {tagged} --push ."]


@pytest.mark.parametrize("fails", ["info", "buildx"], ids=["no_daemon", "no_buildx"])
def test_podman_where_docker_does_not_work(tmp_path: Path, fails: str) -> None:
    engine(tmp_path / "bin", "docker", fails=fails)
    engine(tmp_path / "bin", "podman")
    code, said, told = made(tmp_path / "bin", "--repository", REPOSITORY)
    tagged = f"{REPOSITORY}:{content_tag(ROOT)}"
    assert code == 0, said
    assert [line for line in told if line.startswith("podman")] == [
        "podman info",
        f"podman build --platform linux/arm64,linux/amd64 --file functions/full_run/Dockerfile --manifest {tagged} .",
        f"podman manifest push --all {tagged} docker://{tagged}",
    ]


def test_without_an_engine_one_sentence_says_so_and_the_way_out(tmp_path: Path) -> None:
    code, said, told = made(tmp_path / "bin", "--repository", REPOSITORY)
    assert (code, told) == (1, [])
    assert "no container engine works here" in said
    assert "-c image_uri=REPOSITORY:TAG" in said


def test_a_build_that_fails_is_not_pushed(tmp_path: Path) -> None:
    engine(tmp_path / "bin", "podman", fails="build")
    code, said, told = made(tmp_path / "bin", "--repository", REPOSITORY)
    assert code == 1
    assert "`podman build" in said
    assert not [line for line in told if "push" in line]


def test_the_tag_is_of_the_content_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "functions/full_run").mkdir(parents=True)
        (tmp_path / name / ".dockerignore").write_text("*\n!functions/full_run/**\n")
        (tmp_path / name / "functions/full_run/main.py").write_text("pass\n")
    one, two = tmp_path / "one", tmp_path / "two"
    (two / "README.md").write_text("not in the image")
    assert content_tag(one) == content_tag(two)
    (two / "functions/full_run/main.py").write_text("pass  # changed\n")
    assert content_tag(one) != content_tag(two)


def test_the_stacks_asset_and_the_image_hold_the_same_files() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == set(IMAGE_SOURCES)
