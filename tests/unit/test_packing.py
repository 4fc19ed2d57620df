"""Gzip as Python's own library reads it, within its limits, and damages that end in one class of error."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from isal import isal_zlib

from spotlake import packing
from spotlake.packing import TooLargeError, pack, pack_parts, unpack, unpacked
from tests.support.errors import says

CONTENT = b"Standard_D2s_v5,eastus,0.0123\n" * 400
GOOD = gzip.compress(CONTENT, mtime=0)


def test_what_is_packed_is_gzip_without_a_time() -> None:
    for body in (pack(CONTENT), pack_parts([CONTENT[:700], memoryview(CONTENT)[700:]])):
        assert gzip.decompress(body) == CONTENT
        assert body[4:8] == bytes(4)  # RFC 1952: the time
        assert len(body) < len(CONTENT) // 20
    assert pack(CONTENT) == pack(CONTENT)
    assert gzip.decompress(pack_parts([])) == gzip.decompress(pack(b"")) == b""


def test_content_is_taken_up_to_a_size() -> None:
    assert unpack(GOOD) == unpack(GOOD, len(CONTENT)) == CONTENT
    with says(TooLargeError, "more than 11999 bytes"):
        unpack(GOOD, len(CONTENT) - 1)
    assert issubclass(TooLargeError, ValueError)
    assert packing.MOST_BYTES == 536_870_912


def test_no_more_than_one_byte_beyond_the_limit_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = isal_zlib.decompressobj

    class Noting:
        def __init__(self, form: int) -> None:
            self.inner: Any = real(form)

        def decompress(self, body: bytes, most: int) -> Any:
            asked.append(most)
            return self.inner.decompress(body, most)

        @property
        def eof(self) -> Any:
            return self.inner.eof

    monkeypatch.setattr(isal_zlib, "decompressobj", Noting)
    assert unpack(GOOD, 20_000) == CONTENT
    assert asked == [20_001]


DAMAGED = {
    "no gzip": b"<html>",
    "zlib": zlib.compress(CONTENT),
    "wrong block": GOOD[:10] + b"\xff" * 8 + GOOD[18:],
    "wrong sum": GOOD[:-8] + bytes(4) + GOOD[-4:],
    "wrong length": GOOD[:-4] + bytes(4),
}
CUT_OFF = {"its end": GOOD[:-1], "its half": GOOD[: len(GOOD) // 2], "all": b""}


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_body_is_a_value_error_that_says_something(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w") as raised:
        unpack(body)
    assert type(raised.value) is ValueError
    assert str(raised.value) == str(raised.value.__cause__ or "cut off")
    with pytest.raises(ValueError, match=r"\w") as raised, unpacked(body) as file:
        file.read()
    assert type(raised.value) is ValueError
    assert str(raised.value) == str(raised.value.__cause__)


@pytest.mark.parametrize("body", CUT_OFF.values(), ids=CUT_OFF)
def test_a_body_that_is_cut_off_is_told_so(body: bytes) -> None:
    with says(ValueError, "cut off"):
        unpack(body)


@pytest.mark.parametrize("body", [CUT_OFF["its end"], CUT_OFF["its half"]])
def test_a_body_that_is_cut_off_ends_a_reading_in_parts_too(body: bytes) -> None:
    with pytest.raises(ValueError, match="ended before the end-of-stream marker") as raised, unpacked(body) as file:
        list(file)
    assert type(raised.value) is ValueError


def test_content_is_read_in_parts() -> None:
    with unpacked(GOOD) as file:
        assert (file.read(8), file.readline(), file.read()) == (CONTENT[:8], CONTENT[8:30], CONTENT[30:])


def test_other_errors_of_the_reader_are_its_own() -> None:
    class OurError(Exception):
        pass

    def read() -> Any:
        with unpacked(GOOD):
            raise OurError

    with pytest.raises(OurError):
        read()
