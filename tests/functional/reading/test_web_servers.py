"""Web servers that answer ranges in their own ways, and files that are replaced while they are read."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spotlake.archive.archive import Archive, open_archive
from spotlake.archive.places import Folder, Part
from spotlake.errors import SpotlakeError
from tests.functional.reading.conftest import SIZES, Kept

type Answer = Callable[[int, int, bytes], tuple[int, dict[str, str], bytes]]  # begin, end (excluded), the file


def _exact(begin: int, end: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
    return 206, {"Content-Range": f"bytes {begin}-{end - 1}/{len(body)}"}, body[begin:end]


KINDS: dict[str, Answer] = {
    "exact": _exact,
    "ignores ranges": lambda _b, _e, body: (200, {}, body),
    "refuses them": lambda _b, _e, _body: (416, {}, b""),
    "does not say which": lambda b, e, body: (206, {}, body[b:e]),
    "does not know the size": lambda b, e, body: (206, {"Content-Range": f"bytes {b}-{e - 1}/*"}, body[b:e]),
}


@contextmanager
def served(kept: Kept, answer: Answer) -> Iterator[Archive]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = kept.folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            body = path.read_bytes()
            wanted = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range", ""))
            status, headers, sent = 200, dict[str, str](), body
            if wanted:
                first, last = wanted.groups()
                begin = int(first) if first else max(0, len(body) - int(last))
                status, headers, sent = answer(begin, min(int(last) + 1, len(body)) if first else len(body), body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *_: object) -> None:
            del format

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield open_archive(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_server_gives_the_same_history(kept: Kept, kind: str) -> None:
    with served(kept, KINDS[kind]) as archive:
        found = archive.history(SIZES[0], "koreacentral").table
    assert found.equals(kept.archive.history(SIZES[0], "koreacentral").table)


def test_a_part_that_comes_short_is_an_error_of_ours(kept: Kept) -> None:
    def short(begin: int, end: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
        status, headers, sent = _exact(begin, end, body)
        return status, headers, sent[:-7]

    with served(kept, short) as archive, pytest.raises(SpotlakeError, match="koreacentral"):
        archive.history(SIZES[0], "koreacentral")


class Replacing(Folder):
    """After the first end of a file that is read, the file is another one: here, of the bytes moved by some."""

    tails = 0

    def tail(self, key: str, length: int) -> Part | None:
        self.tails += 1
        part = super().tail(key, 8)
        return Part(part.begin, part.body, part.size) if part else None

    def part(self, key: str, begin: int, length: int) -> Part:
        part = super().part(key, begin, length)
        return Part(begin, b"\0" * len(part.body), part.size) if self.tails == 1 and length != 8 else part


def test_a_file_that_is_replaced_between_two_requests_is_read_again(kept: Kept) -> None:
    place = Replacing(kept.folder)
    found = Archive(place).history(SIZES[0], "koreacentral").table
    assert place.tails > 1
    assert found.equals(kept.archive.history(SIZES[0], "koreacentral").table)
