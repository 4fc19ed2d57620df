"""Makes the page: one HTML file with facts, texts, style, script and charts, which loads nothing else.

The page's policy names the hash of each of its scripts, so the browser runs no other, whatever the data hold.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import orjson

from spotlake.reporting.facts import RunFacts

# In order of loading: each library, and the packages of other authors that its file holds.
LIBRARIES = {
    "d3": ("internmap", "delaunator"),
    "plot": ("interval-tree-1d", "binary-search-bounds", "isoformat"),
}
SCRIPTS = ("page", "parts", "charts", "sections")


def render(runs: Sequence[RunFacts]) -> bytes:
    """Make the page of one run, or of several runs side by side. The others are compared with the first one.

    Args:
        runs: Facts as ``facts.gather`` returns them.
    """
    scripts = [*map(_library, LIBRARIES), "\n".join([*(_read(f"{name}.js") for name in SCRIPTS), "start();\n"])]
    return (
        Template(_read("page.html"))
        .substitute(
            title=escape(", ".join(one["run_id"] for one in runs)),
            style=_read("page.css"),
            hashes=" ".join(map(_hash, scripts)),
            texts=_embedded(orjson.loads(_read("texts.json"))),
            runs=_embedded(list(runs)),
            scripts="\n".join(f"<script>{script}</script>" for script in scripts),
        )
        .encode()
    )


def _library(name: str) -> str:
    """A library with its licences, which must be part of every copy."""
    licences = "\n".join(f"{one}:\n{_read(f'vendor/{one}.LICENSE')}" for one in (name, *LIBRARIES[name]))
    return f"/*!\n{licences}*/\n{_read(f'vendor/{name}.min.js')}"


def _hash(script: str) -> str:
    """What a script has to be, as a content security policy says it."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _embedded(content: Any) -> str:
    """JSON that cannot end its script element, whatever its content."""
    return orjson.dumps(content).decode().replace("<", "\\u003c")


def _read(name: str) -> str:
    return files("spotlake.reporting").joinpath(name).read_text(encoding="utf-8")
