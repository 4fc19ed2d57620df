"""The content of a gzip as a file: what is read equals the content, in any order, and S3 gets it whole."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import given
from hypothesis import strategies as st

from spotlake.packing import Unpacked, pack
from spotlake.stores.aws_clients import BOTO, AwsSession
from spotlake.stores.objects import S3Objects

CONTENT = b"".join(b'{"id":%d},' % number for number in range(20_000))
STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "set", "current", "end"]), st.integers(-50, 250_000)), min_size=1, max_size=12
)


@given(STEPS)
def test_it_is_read_as_a_file_of_the_content_would_be(steps: list[tuple[str, int]]) -> None:
    found, expected = Unpacked(pack(CONTENT)), io.BytesIO(CONTENT)
    for step, number in steps:
        whence = {"set": io.SEEK_SET, "current": io.SEEK_CUR, "end": io.SEEK_END}.get(step)
        if whence is None:
            assert _exactly(found, max(0, number)) == expected.read(max(0, number))
        elif whence != io.SEEK_SET or number >= 0:
            place = max(0, {0: 0, 1: expected.tell(), 2: len(CONTENT)}[whence] + number)
            assert found.seek(number, whence) == expected.seek(place)
        assert found.tell() == expected.tell()


def test_it_says_what_it_can() -> None:
    file = Unpacked(pack(CONTENT))
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def _exactly(file: io.RawIOBase, amount: int) -> bytes:
    """Read so many bytes, however few come at a time."""
    parts: list[bytes] = []
    while amount and (part := file.read(amount)):
        parts.append(part)
        amount -= len(part)
    return b"".join(parts)


def test_the_whole_content_is_never_in_memory() -> None:
    packed = pack(bytes(50_000_000))
    tracemalloc.start()
    file, size = Unpacked(packed), 0
    while part := file.read(65_536):
        size += len(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 50_000_000
    assert peak < 5_000_000


def test_s3_gets_the_whole_content_over_tls_and_again_after_a_failure() -> None:
    sent, statuses = list[bytes](), iter([500, 200])

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        body: Any = request.body
        sent.append(body.read())
        raw: Any = type("Raw", (), {"stream": lambda *_, **__: iter([b""]), "read": lambda *_: b"", "headers": {}})()
        return AWSResponse(request.url, next(statuses), HTTPHeaders.from_dict({"ETag": "tag"}), raw)

    session, answering = AwsSession(), cast("Any", answer)
    session.events.register_last("before-send", answering)
    client = session.client(
        "s3", region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b", config=BOTO
    )  # fmt: skip
    S3Objects(client, "bucket").put_unpacked("key", pack(CONTENT), if_absent=True)
    assert len(sent) == 2
    for one in sent:
        size, _, rest = one.partition(b"\r\n")
        assert int(size, 16) == len(CONTENT)
        assert rest.startswith(CONTENT + b"\r\n0\r\nx-amz-checksum-")
