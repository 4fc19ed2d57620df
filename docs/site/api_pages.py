"""Hooks of the documentation site: a reference page for each room of the library, and links that leave docs/."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LIBRARY = Path(__file__).parents[2] / "layers/common/python/spotlake"
OUTSIDE = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)\s#]+)(?:#[^)\s]*)?\)")


def rooms() -> dict[str, list[str]]:
    """Room -> its modules: a folder of the library is a room, and so are the modules beside the folders."""
    found: dict[str, list[str]] = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        if path.name != "__init__.py":
            found.setdefault(parts[0] if len(parts) > 1 else "spotlake", []).append(".".join(("spotlake", *parts)))
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the menu, after the written pages."""
    pages: list[Any] = [{name: f"api/{name}.md"} for name in rooms()]
    config.nav = [*(config.nav or []), {"API reference": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference pages; mkdocstrings fills them from the docstrings."""
    for name, modules in rooms().items():
        text = "\n\n".join([f"# {name}", *(f"::: {module}" for module in modules)])
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """A link to a file outside docs/ becomes the file's path: the site does not hold the file."""
    del config, files
    folder = PurePosixPath("docs") / PurePosixPath(page.file.src_uri).parent

    def path_of(link: re.Match[str]) -> str:
        resolved = Path("/", folder, link[2]).resolve().relative_to("/")
        return link[0] if resolved.parts[0] == "docs" else f"{link[1]} (`{resolved}`)"

    return OUTSIDE.sub(path_of, markdown)
