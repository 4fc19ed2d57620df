"""What an API, a proxy or a gateway may send: documents in the API's own form with odd parts, and anything else."""

from __future__ import annotations

import copy
import functools
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import requests
import urllib3
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

type Path = tuple[str | int, ...]
LONG = "x" * 3000
ODD_TEXTS = [
    "",
    " ",
    "False",
    "4",
    LONG,
    "Standard_",
    "Standard_" + LONG,
    "Standard_=cmd|' /C calc'!A0",
    "=1+1",
    "\ud800",
    "\x1b]52;c;Y2F0\x07",
    '\n{"_aws": {}}',
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+14:00",
    "2026-06-01T00:00:00Z",
    "http://[",
    "https://elsewhere.example/api/retail/prices?$skip=1000",
    "https://prices.azure.com:99999/api/retail/prices",
    "1e400",
    "²",
    "[" * 5000,
    '[{"priceUSD": 1e400, "effectiveDate": "2026-11-01"}]',
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from([0.0, 5e-324, 1e-300, 1e200, -1.0]),
    st.text(max_size=20),
    st.sampled_from(ODD_TEXTS),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
# How a part of a document is changed. "twice" repeats an entry of a list.
CHANGES = st.sampled_from(["odd", "odd", "odd", "gone", "twice"])


@dataclass(frozen=True)
class Reply:
    """One answer, or none at all (status 0)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:  # a failing example is read by people
        shown = self.body if len(self.body) < 2000 else self.body[:200] + b"... of %d bytes" % len(self.body)
        return f"Reply({self.status}, {shown!r}, {dict(self.headers)!r})"


def good(document: object) -> Reply:
    """What a healthy API sends."""
    return Reply(body=json.dumps(document).encode())


# Bodies that no API makes.
_MEGABYTE = 1_000_000
RAW = [
    Reply(),
    Reply(body=b"<html><body>Please sign in</body></html>"),
    Reply(body=b"null"),
    Reply(body=b"[]"),
    Reply(body=b'{"Items": [], "data": [], "value": [], "placementScores": []}'),
    Reply(body=b"\xff\xfe\x00"),
    Reply(body=b"[" * 200_000),
    Reply(body=b'{"data":' * 900 + b"1" + b"}" * 900),
    Reply(body=b'{"Items": [1e99999], "data": [-0.0]}'),
    Reply(body=b"1" * 100_000),
    Reply(body=b'{"Items": NaN}'),
    Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    Reply(body=gzip.compress(bytes(100 * _MEGABYTE)), headers={"Content-Encoding": "gzip"}),
    Reply(body=gzip.compress(b'{"Items": []}')[:-6], headers={"Content-Encoding": "gzip"}),
    Reply(302, b"", {"Location": "https://elsewhere.example/"}),
    Reply(status=0),
]
_BOMBS = {
    "lists": b"[],",
    "fields": b'{"a":0},',
    "texts": b'"aa",',
    "characters": "\U0001f600".encode(),
}


@functools.cache
def bomb(kind: str, megabytes: int) -> Reply:
    """A body that needs much more memory than it has bytes, packed small, piece by piece."""
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    opens, closes = (b'"', b'"') if kind == "characters" else (b"[", b"0]")
    piece = _BOMBS[kind] * 50_000
    parts = [packer.compress(b'{"data":[],"Items":' + opens)]
    parts += [packer.compress(piece) for _ in range(megabytes * _MEGABYTE // len(piece))]
    parts += [packer.compress(closes + b"}"), packer.flush()]
    return Reply(body=b"".join(parts), headers={"Content-Encoding": "gzip"})


BOMBS = st.builds(bomb, st.sampled_from(sorted(_BOMBS)), st.sampled_from([1, 3, 7, 40]))
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Retry-After",
            "x-ms-ratelimit-remaining-retailPrices-requests",
            "x-ms-ratelimit-retailPrices-retry-after",
            "x-ms-user-quota-remaining",
            "x-ms-user-quota-resets-after",
        ]
    ),
    st.sampled_from(
        ["0", "1", "00:00:05", "9999:9999:9999", "-1", "²", "٣", "9" * 5000, "soon", "Fri, 31 Dec 9999 23:59:59 GMT"]
    ),
    max_size=3,
)


def parts_of(document: object, path: Path = ()) -> Iterator[Path]:
    """Every place in a document, the whole one last."""
    if isinstance(document, dict | list):
        for name, one in document.items() if isinstance(document, dict) else enumerate(document):
            yield from parts_of(one, (*path, name))
    yield path


def changed(document: Any, path: Path, how: str, value: object) -> Any:
    """The document with one part replaced, left out or repeated."""
    if not path:
        return value if how == "odd" else document
    document = copy.deepcopy(document)
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    if how == "odd":
        parent[path[-1]] = value
    elif how == "gone":
        del parent[path[-1]]
    elif isinstance(parent, list) and isinstance(path[-1], int):
        parent.insert(path[-1], copy.deepcopy(parent[path[-1]]))
    return document


@st.composite
def odd_in_parts(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A document with up to three odd parts; half of them have none."""
    document = draw(documents)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        path = draw(st.sampled_from(list(parts_of(document))))
        document = changed(document, path, draw(CHANGES), draw(ODD))
    return document


def replies(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Reply]]:
    """Answers in order; the last one repeats.

    Args:
        documents: Documents in the API's own form.
    """
    odd = odd_in_parts(documents)
    texts = odd.map(lambda one: json.dumps(one).encode())
    errors = st.fixed_dictionaries(
        {"error": st.fixed_dictionaries({"code": ODD | st.just("InvalidParameter"), "message": ODD})}
    )
    failing = st.sampled_from([201, 204, 400, 401, 403, 404, 409, 429, 429, 500, 503, 999])
    one = st.one_of(
        st.builds(Reply, st.just(200), texts, HEADERS),
        st.builds(Reply, st.just(200), texts),
        st.builds(Reply, st.just(200), texts),
        st.builds(lambda text, end: Reply(200, text[: -1 - end]), texts, st.integers(0, 40)),
        st.builds(lambda status, said, sent: Reply(status, json.dumps(said).encode(), sent), failing, errors, HEADERS),
        st.builds(Reply, failing, st.sampled_from([b"", b"You have reached the maximum number", b"\x1b[2J"]), HEADERS),
        st.sampled_from(RAW),
    )
    rare = st.integers(0, 99).flatmap(lambda number: BOMBS if number == 99 else one)
    return st.lists(rare, min_size=1, max_size=4)


class Wire(BaseAdapter):
    """Sends replies in order; the last one repeats."""

    def __init__(self, sent: list[Reply]) -> None:
        super().__init__()
        self.left = list(sent)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        reply = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if not reply.status:
            raise requests.ConnectionError("gone")
        response = requests.Response()
        response.status_code, response.request, response.url = reply.status, request, str(request.url)
        response.headers = CaseInsensitiveDict(reply.headers)
        response.raw = urllib3.HTTPResponse(BytesIO(reply.body), headers=dict(reply.headers), preload_content=False)
        return response

    def close(self) -> None:
        return


def session_of(sent: list[Reply]) -> requests.Session:
    """A session that reaches nothing but these replies."""
    session, wire = requests.Session(), Wire(sent)
    session.mount("https://", wire)
    session.mount("http://", wire)
    return session
