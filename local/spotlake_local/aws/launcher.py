"""Starts and stops the emulated AWS, in a clean environment and without leaving processes behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Self

import boto3
import requests
from botocore.config import Config

from spotlake.errors import ConfigurationError
from spotlake_local.aws.counting import FILE_VARIABLE
from spotlake_local.processes import stop

REGION: Final = "us-west-2"
ACCOUNT = "000000000000"
ROOT_KEY_VARIABLE = "SPOTLAKE_ROOT_KEY"  # of the emulator's process
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0  # saving a large state takes a while
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class EmulatedAws:
    """A running emulator.

    Attributes:
        endpoint_url: ``http://127.0.0.1:PORT``.
        log_file: Log of the emulator.
        root_key: Access key of the root user, made anew at each start. Whoever has it may do everything.
    """

    endpoint_url: str
    log_file: Path
    root_key: str = field(repr=False)

    @classmethod
    @contextmanager
    def start(
        cls,
        state: Path | None,
        *,
        lambda_python: Path,
        job_python_path: Sequence[Path] = (),
        port: int = 0,
        extra_environment: Mapping[str, str] | None = None,
        lock: int | None = None,
    ) -> Iterator[Self]:
        """Start an emulator, and stop it at the end, also on Ctrl-C. It also ends when this process is killed.

        Args:
            state: Folder that keeps buckets, tables and stacks between starts; None: keep nothing.
            lambda_python: Interpreter of Lambdas (``interpreter.lambda_python``).
            job_python_path: Folders in place of the packages inside the Batch image.
            port: Port to listen on; 0: any free port.
            extra_environment: More variables for the emulator's process.
            lock: File descriptor of the state's lock. The emulator holds the lock while it saves, even if the command
                was killed.

        Raises:
            ConfigurationError: The emulator did not start; the text is the end of its log.
        """
        port = port or _free_port()
        root_key = secrets.token_hex(20)
        with tempfile.TemporaryDirectory(prefix="spotlake-aws-", ignore_cleanup_errors=True) as folder:
            environment = {
                **_environment(Path(folder), state, port),
                ROOT_KEY_VARIABLE: root_key,
                "SPOTLAKE_LAMBDA_PYTHON": str(lambda_python),
                "SPOTLAKE_JOB_PYTHON_PATH": os.pathsep.join(map(str, job_python_path)),
                **(extra_environment or {}),
            }
            aws = cls(f"http://127.0.0.1:{port}", (state or Path(folder)) / "emulator.log", root_key)
            with aws.log_file.open("w", encoding="utf-8") as log:
                process = _popen(environment, log, lock)
            try:
                aws._wait_until_healthy(process)
                yield aws
            finally:
                stop(process, grace_seconds=_STOP_SECONDS)
                _kill_group(process.pid)

    def environment(self) -> dict[str, str]:
        """Environment for a subprocess (the AWS CLI, cdk) that uses this emulator as its root user."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.root_key,
            "AWS_SECRET_ACCESS_KEY": self.root_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def session(self) -> boto3.Session:
        """A boto3 session of the root user. Make clients with ``client``."""
        key = self.root_key
        return boto3.Session(aws_access_key_id=key, aws_secret_access_key=key, region_name=REGION)

    def client(self, service: str, *, region: str = REGION) -> object:
        """A boto3 client of the root user (the caller casts it to the service's type)."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, read_timeout=900, proxies={})
        return self.session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=region,
            config=config,
        )

    def _wait_until_healthy(self, process: subprocess.Popen[str]) -> None:
        give_up_at = time.monotonic() + _START_SECONDS
        session = requests.Session()
        session.trust_env = False  # no proxy between
        while time.monotonic() < give_up_at:
            if process.poll() is not None:
                words = self.log_file.read_text(encoding="utf-8").strip().splitlines()
                raise ConfigurationError(f"the emulated AWS did not start: {words[-1] if words else 'no message'}")
            try:
                if session.get(f"{self.endpoint_url}/_ministack/health", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(_POLL_SECONDS)
        raise ConfigurationError(f"the emulated AWS did not answer within {_START_SECONDS:.0f} s: see {self.log_file}")


def _environment(folder: Path, state: Path | None, port: int) -> dict[str, str]:
    """A clean environment, because Lambdas inherit it."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    if FILE_VARIABLE in os.environ:
        environment[FILE_VARIABLE] = os.environ[FILE_VARIABLE]
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        environment |= {
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
        }
    return environment


def _popen(environment: Mapping[str, str], log: IO[str], lock: int | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "spotlake_local.aws"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        text=True,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
        umask=0o077,  # its state may hold the Azure secret
    )


def _kill_group(group: int) -> None:
    """End workers and jobs of an emulator that was killed."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
