"""No tests stand here, and mutmut is installed in an environment of its own."""

collect_ignore_glob = ["*.py"]
