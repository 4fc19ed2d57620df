"""Finds a browser of this machine, for pictures and tests of the report page. No browser is downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path

from spotlake.errors import ConfigurationError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PICTURE_WIDTH, _PICTURE_HEIGHT = 1180, 1950


def take_picture(page: Path, picture: Path) -> None:
    """A PNG of the top of a page, in English and light colours.

    Raises:
        ConfigurationError: There is no Chromium on this machine.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        shown = browser.new_page(
            viewport={"width": _PICTURE_WIDTH, "height": _PICTURE_HEIGHT}, locale="en-GB", color_scheme="light"
        )
        shown.goto(page.resolve().as_uri())
        picture.parent.mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=picture)
        browser.close()


def find_chromium() -> str:
    """Chromium or Chrome of this machine.

    Raises:
        ConfigurationError: There is none; the text says how to install one.
    """
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise ConfigurationError("no Chromium on the PATH: install one, such as Debian's (apt-get install chromium)")
