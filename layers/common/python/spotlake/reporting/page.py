"""Makes the page: one HTML file with facts, texts, style, script and charts, which loads nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import orjson

from spotlake.reporting.facts import RunFacts

# In order of loading.
LIBRARIES = ("d3", "plot")
SCRIPTS = ("page", "parts", "charts", "sections")


def render(runs: Sequence[RunFacts]) -> bytes:
    """Make the page of one run, or of several runs side by side. The others are compared with the first one.

    Args:
        runs: Facts as ``facts.gather`` returns them.
    """
    return (
        Template(_read("page.html"))
        .substitute(
            title=escape(", ".join(one["run_id"] for one in runs)),
            style=_read("page.css"),
            libraries="\n".join(_library(name) for name in LIBRARIES),
            texts=_embedded(orjson.loads(_read("texts.json"))),
            runs=_embedded(list(runs)),
            script="\n".join(_read(f"{name}.js") for name in SCRIPTS),
        )
        .encode()
    )


def _library(name: str) -> str:
    """A library with its licence, which must be part of every copy."""
    return f"<script>/*!\n{_read(f'vendor/{name}.LICENSE')}*/\n{_read(f'vendor/{name}.min.js')}</script>"


def _embedded(content: Any) -> str:
    """JSON that cannot end its script element, whatever its content."""
    return orjson.dumps(content).decode().replace("<", "\\u003c")


def _read(name: str) -> str:
    return files("spotlake.reporting").joinpath(name).read_text(encoding="utf-8")
