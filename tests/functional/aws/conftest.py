from __future__ import annotations

from tests.support.emulator import aws  # noqa: F401 - fixture
