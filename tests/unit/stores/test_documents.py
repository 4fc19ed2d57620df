"""Documents of a bucket: their bytes, their damages by name, objects that are never overwritten, foreign buckets."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from spotlake.errors import ConflictError, DamagedStateError, StoreError
from spotlake.stores.documents import decode_json, encode_json, put_once, read_json, write_json
from spotlake.stores.foreign import ForeignObject, read_if_allowed
from spotlake.stores.objects import MemoryObjects, StoredObject
from tests.support.errors import says


class Noting(MemoryObjects):
    """Keeps how the last object was written, too."""

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self.options = options
        return super().put(key, body, **options)


def test_a_document_is_compact_json_with_its_schema_first() -> None:
    content: Any = {"b": [1, None], 7: "é"}
    assert encode_json("a.json", content, schema=3) == '{"schema":3,"b":[1,null],"7":"é"}'.encode()
    packed = encode_json("a.json.gz", {"b": 1}, schema=3)
    assert gzip.decompress(packed) == b'{"schema":3,"b":1}'
    # RFC 1952: bytes 4 to 8 are the time, which would differ from writing to writing.
    assert packed[4:8] == bytes(4)
    long = {"a": [str(number % 700) for number in range(3000)]}
    assert len(encode_json("a.gz", long, schema=1)) == len(gzip.compress(encode_json("a", long, schema=1), 6, mtime=0))


@pytest.mark.parametrize("key", ["state/a.json", "state/a.json.gz"])
def test_a_document_is_read_as_it_was_written(key: str) -> None:
    store = Noting()
    assert read_json(store, key, schema=1) == (None, None)
    etag = write_json(store, key, {"a": 1}, schema=2, if_absent=True)
    assert store.options == {"content_type": "application/json", "if_absent": True, "if_etag": None}
    assert read_json(store, key, schema=2) == ({"schema": 2, "a": 1}, etag)
    assert read_json(store, key, schema=3, older=(1, 2)) == ({"schema": 2, "a": 1}, etag)
    with pytest.raises(ConflictError):
        write_json(store, key, {"a": 2}, schema=2, if_absent=True)
    with says(DamagedStateError, f"s3://memory/{key}: schema 2, this code reads 3"):
        read_json(store, key, schema=3)
    write_json(store, key, {"a": 2}, schema=2, if_etag=etag)
    assert store.options == {"content_type": "application/json", "if_absent": False, "if_etag": etag}
    assert read_json(store, key, schema=2)[0] == {"schema": 2, "a": 2}
    write_json(store, key, {"a": 3}, schema=2)
    assert read_json(store, key, schema=2)[0] == {"schema": 2, "a": 3}


GOOD = gzip.compress(b'{"schema": 1}')


@pytest.mark.parametrize(
    ("key", "body", "damage"),
    [
        ("a.json", b"", "JSONDecodeError"),
        ("a.json", b"{", "JSONDecodeError"),
        ("a.json", b"{}", "KeyError"),
        ("a.json", b"[]", "TypeError"),
        ("a.json", GOOD, "JSONDecodeError"),
        ("a.json.gz", b'{"schema": 1}', "BadGzipFile"),  # an OSError
        ("a.json.gz", GOOD[:-1], "EOFError"),
        ("a.json.gz", GOOD[:10] + b"\xff" * 8 + GOOD[18:], "error"),  # zlib's
        ("a.json.gz", gzip.compress(b"{"), "JSONDecodeError"),
    ],
    ids=[
        "nothing",
        "cut off",
        "no schema",
        "a list",
        "packed",
        "not packed",
        "its end is missing",
        "wrong",
        "packed cut off",
    ],
)
def test_a_damaged_document_is_named_with_its_damage(key: str, body: bytes, damage: str) -> None:
    with says(DamagedStateError, f"{key}: damaged ({damage})"):
        decode_json(body, key, schema=1)
    with says(DamagedStateError, "a: schema '1', this code reads 1"):
        decode_json(b'{"schema": "1"}', "a", schema=1)


def test_an_object_is_written_once_and_what_is_stored_is_returned() -> None:
    store = Noting("archive")
    assert put_once(store, "key", b"ours", content_type="text/csv") == b"ours"
    assert store.options == {"content_type": "text/csv", "if_absent": True}
    assert put_once(store, "key", b"later", content_type="text/csv") == b"ours"

    class Gone(MemoryObjects):
        def get(self, key: str) -> StoredObject | None:
            return None

    with says(StoreError, "s3://archive/key: it is there when written, and gone when read") as raised:
        put_once(Gone("archive", {"key": b""}), "key", b"ours", content_type="text/csv")
    assert raised.value.__suppress_context__


class Refusing(MemoryObjects):
    """A bucket whose reads fail, as the store tells it."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("production")
        self.cause = cause

    def get(self, key: str) -> StoredObject | None:
        raise StoreError(f"cannot read {key}") from self.cause


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetObject")


@pytest.mark.parametrize(
    ("cause", "is_known"),
    [
        # Answers that say "nothing here for you" (S3 API reference, error responses, read 2026-11).
        *[
            (refusal(code), True)
            for code in ("AccessDenied", "AllAccessDisabled", "NoSuchBucket", "PermanentRedirect", "403", "301")
        ],
        *[(refusal(code), False) for code in ("InternalError", "SlowDown", "500", "RequestTimeout")],
        (EndpointConnectionError(endpoint_url="https://aws.example"), False),
    ],
    ids=str,
)
def test_a_foreign_bucket_that_refuses_is_told_from_one_out_of_reach(cause: Exception, is_known: bool) -> None:
    found = read_if_allowed(Refusing(cause), "maps.json")
    assert found == ForeignObject(stored=None, why="cannot read maps.json", is_known=is_known)


def test_a_foreign_object_that_can_be_read_has_no_reason() -> None:
    store = MemoryObjects("production", {"a": b"1"})
    found = read_if_allowed(store, "a")
    assert (found.stored, found.why, found.is_known) == (store.get("a"), "", True)
    assert read_if_allowed(store, "b") == ForeignObject(stored=None, why="", is_known=True)
    empty = read_if_allowed(MemoryObjects("", {"a": b"1"}), "a")
    assert empty == ForeignObject(stored=None, why="setting read_bucket is empty", is_known=True)
