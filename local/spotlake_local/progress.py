"""Shows the progress of an execution: a bar on a terminal, a line from time to time in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from spotlake_local.following import Progress as RunProgress

QUIET_SECONDS = 15.0  # seconds between lines in a log, at most


@contextmanager
def progress(
    console: Console, *, seconds: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[RunProgress], None]]:
    """A function that shows the given progress."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn())
    began = last = seconds()
    shown = ""
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None, done="")

        def show(now: RunProgress) -> None:
            nonlocal shown, last
            done = f"{now.stored} of {now.expected} raw files" if now.expected else ""
            state = now.state or "starting"
            bar.update(task, description=state, total=now.expected or None, completed=now.stored, done=done)
            if not console.is_terminal and (state != shown or seconds() - last >= QUIET_SECONDS):
                shown, last = state, seconds()
                console.print(f"{last - began:5.0f} s  {state}" + (f": {done}" if done else ""), highlight=False)

        yield show
