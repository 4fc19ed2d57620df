"""Lambda: the right interpreter, exception names, whole logs, layers unpacked once, memory of each invocation."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from spotlake.errors import ConfigurationError
from spotlake_local.aws.patches import PatchOptions, need

_last = threading.local()  # of the invocation on this thread: error_type, peak_mb
_unpacking = threading.Lock()
_CALLED = "            result = handler_fn(event, context)\n"
_ENDED = "\x1e"  # the last line of an invocation, which nobody sees
_LATEST_LINE_SECONDS = 5.0
_REPORTED = '"error": str(e), "trace": traceback.format_exc()'


def install(options: PatchOptions) -> None:
    """Install the six patches."""
    _use_interpreter(options.lambda_python)
    _name_exceptions()
    _keep_every_line()
    _name_throttles()
    _unpack_layers_once(options.cache)
    _measure_memory()


def _use_interpreter(python: Path) -> None:
    """Without this patch Lambdas run on the emulator's interpreter and see all its packages."""
    need(lambda_runtime, "_detect_runtime_binary", "interpreter")
    script = need(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "interpreter")
    del script  # replaced by _name_exceptions; read at each spawn
    lambda_runtime._detect_runtime_binary = lambda _: (str(python), lambda_runtime._PYTHON_WORKER_SCRIPT)


def _name_exceptions() -> None:
    """Without this patch every exception is named Runtime.HandlerError, and no Retry or Catch by name matches."""
    script: str = need(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "exception names")
    if script.count(_REPORTED) != 1:
        raise ConfigurationError("the emulator's worker reports errors in another way: patch 'exception names'")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_REPORTED, '"error_type": type(e).__name__, ' + _REPORTED)
    invoke = need(lambda_runtime.Worker, "invoke", "exception names")
    execute = need(lambda_svc, "_execute_function_warm", "exception names")

    def invoke_and_note(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = invoke(self, *args, **kwargs)
        _last.error_type = result.get("error_type")
        return result

    def execute_and_name(*args: Any, **kwargs: Any) -> Any:
        _last.error_type = None
        answer = execute(*args, **kwargs)
        if answer.get("error") and _last.error_type:
            answer["body"]["errorType"] = _last.error_type
        return answer

    lambda_runtime.Worker.invoke = invoke_and_note
    lambda_svc._execute_function_warm = execute_and_name


def _keep_every_line() -> None:
    """Without this patch a log loses what is read later than five milliseconds after the line before it."""
    script: str = need(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "lines of a log")
    need(lambda_runtime.Worker, "_drain_stderr_bounded", "lines of a log")
    if script.count(_CALLED) != 1:
        raise ConfigurationError("the emulator's worker calls handlers in another way: patch 'lines of a log'")
    told = f"            finally:\n                print({_ENDED!r}, file=sys.stderr, flush=True)\n"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_CALLED, f"            try:\n    {_CALLED}{told}")
    lambda_runtime.Worker._drain_stderr_bounded = lines_until_the_end


def lines_until_the_end(worker: Any, **_: float) -> str:
    """Every line that an invocation wrote: the worker's script tells which is the last."""
    lines: list[str] = []
    give_up_at = time.monotonic() + _LATEST_LINE_SECONDS
    while True:
        try:
            line: str = worker._stderr_queue.get(timeout=max(0.0, give_up_at - time.monotonic()))
        except queue.Empty:  # the process died
            break
        if line == _ENDED:
            break
        lines.append(line)
    return "\n".join(lines)


def _name_throttles() -> None:
    """Without it a Lambda that the account has no room for fails as Lambda.Unknown, which nobody retries."""
    execute = need(lambda_svc, "_execute_function_with_config_scope", "names of throttles")

    def execute_and_name(*args: Any, **kwargs: Any) -> Any:
        answer = execute(*args, **kwargs)
        body = answer.get("body")
        if answer.get("error") and isinstance(body, dict) and "__type" in body:
            body.setdefault("errorType", f"Lambda.{body['__type']}")
        return answer

    lambda_svc._execute_function_with_config_scope = execute_and_name


def _unpack_layers_once(cache: Path) -> None:
    """Without this patch every worker unpacks every layer, which takes seconds and tens of megabytes."""
    need(lambda_runtime, "zipfile", "layers unpacked once")

    class LayerZip(zipfile.ZipFile):
        def _cached(self) -> Path | None:
            path = Path(str(self.filename))
            if not path.name.startswith("layer_"):
                return None
            return cache / hashlib.sha256(path.read_bytes()).hexdigest()[:16]

        def namelist(self) -> list[str]:
            cached = self._cached()
            return [] if cached and cached.exists() else super().namelist()

        def extractall(self, path: Any = None, members: Iterable[Any] | None = None, pwd: bytes | None = None) -> None:
            cached = self._cached()
            if cached is None:
                super().extractall(path, members, pwd)
                return
            with _unpacking:
                if not cached.exists():
                    partial = cached.with_name(cached.name + ".part")
                    super().extractall(partial)
                    partial.rename(cached)
            Path(path).rmdir()
            Path(path).symlink_to(cached)

    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=LayerZip, BadZipFile=zipfile.BadZipFile, LargeZipFile=zipfile.LargeZipFile, LargeFileError=OSError
    )


def _measure_memory() -> None:
    """Without this patch the REPORT line shows the largest child of all invocations."""
    need(lambda_svc, "_probe_peak_memory_mb", "memory per invocation")
    invoke = lambda_runtime.Worker.invoke

    def invoke_and_measure(self: Any, *args: Any, **kwargs: Any) -> Any:
        _reset_peak(self)
        _last.peak_mb = 0
        try:
            return invoke(self, *args, **kwargs)
        finally:
            _last.peak_mb = _peak_mb(self)

    lambda_runtime.Worker.invoke = invoke_and_measure
    lambda_svc._probe_peak_memory_mb = lambda _: getattr(_last, "peak_mb", 0)


def _reset_peak(worker: Any) -> None:
    if worker._proc is not None:
        try:
            Path(f"/proc/{worker._proc.pid}/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def _peak_mb(worker: Any) -> int:
    """0 where the worker was killed."""
    try:
        status = Path(f"/proc/{worker._proc.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, AttributeError, StopIteration):
        return 0
