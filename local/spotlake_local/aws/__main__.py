"""``python -m spotlake_local.aws``: the emulated AWS as a process (see ``launcher``).

The launcher passes settings in a new environment. The process ends with its parent, and ends its Lambda workers and
Batch jobs.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

from ministack import app

from spotlake_local.aws.counting import FILE_VARIABLE, RequestFile
from spotlake_local.aws.door import Door, only_root
from spotlake_local.aws.launcher import ROOT_KEY_VARIABLE
from spotlake_local.aws.patches import PatchOptions, install
from spotlake_local.processes import die_with_parent

# A table of 150,000 items is five million objects. Garbage collection of them took a fifth of an upsert and two thirds
# of loading the state.
_RARE_COLLECTIONS = (200_000, 50, 1000)


def main() -> None:
    """Serve until terminated; then save the state."""
    die_with_parent()
    gc.set_threshold(*_RARE_COLLECTIONS)
    host = f"127.0.0.1:{os.environ['GATEWAY_PORT']}"
    root_key = os.environ.pop(ROOT_KEY_VARIABLE)  # Lambdas and jobs inherit the environment
    folders = [Path(part) for part in os.environ["SPOTLAKE_JOB_PYTHON_PATH"].split(os.pathsep) if part]
    options = PatchOptions(
        lambda_python=Path(os.environ["SPOTLAKE_LAMBDA_PYTHON"]),
        cache=Path(os.environ["TMPDIR"]),
        job_python_path=tuple(folders),
        endpoint_url=f"http://{host}",
    )
    issuer = install(options)
    only_root(root_key)
    file = os.environ.pop(FILE_VARIABLE, "")
    app.app = Door(app.app, host, root_key, issuer.document, RequestFile(Path(file), root_key) if file else None)
    try:
        app.main()
    finally:
        # Workers and jobs are in the group of this process, which the launcher made. None may stay.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    os._exit(0)  # the state is saved; freeing five million objects one by one would take three seconds


if __name__ == "__main__":
    main()
