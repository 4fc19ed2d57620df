"""``python -m spotlake_local.aws``: the emulated AWS as a process of its own (see ``launcher``).

Its settings come by the environment, which the launcher makes from nothing. It ends when its parent
does, and takes its Lambda workers and Batch jobs along.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

from ministack import app

from spotlake_local.aws.patches import PatchOptions, install
from spotlake_local.processes import die_with_parent

# A table of 150,000 items is five million objects: looking through them again and again cost a fifth of an upsert
# and two thirds of loading the state.
_RARE_COLLECTIONS = (200_000, 50, 1000)


def main() -> None:
    """Serve until terminated; the state is saved then."""
    die_with_parent()
    gc.set_threshold(*_RARE_COLLECTIONS)
    endpoint_url = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    folders = [Path(part) for part in os.environ["SPOTLAKE_JOB_PYTHON_PATH"].split(os.pathsep) if part]
    options = PatchOptions(
        lambda_python=Path(os.environ["SPOTLAKE_LAMBDA_PYTHON"]),
        cache=Path(os.environ["TMPDIR"]),
        job_python_path=tuple(folders),
        endpoint_url=endpoint_url,
    )
    install(options)
    try:
        app.main()
    finally:
        # Workers and jobs are in this process's group (the launcher gave it its own); nothing may stay.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    os._exit(0)  # all is saved: taking five million objects apart one by one would last three seconds


if __name__ == "__main__":
    main()
