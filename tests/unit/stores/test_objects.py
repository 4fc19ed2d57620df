"""The bucket: what is asked of S3, and what each of its errors means; the twin keeps the same rules."""

from __future__ import annotations

import gzip
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody

from spotlake.errors import ConflictError, StoreError
from spotlake.stores.objects import MemoryObjects, ObjectStore, S3Objects, StoredObject
from tests.support.errors import says
from tests.support.stubs import Stubbed, unreachable

ASKED = {"Bucket": "archive", "Key": "a/b.gz"}


def body(content: bytes) -> StreamingBody:
    return StreamingBody(BytesIO(content), len(content))


def test_an_object_is_read_with_its_tag() -> None:
    with Stubbed("s3").answers("get_object", ASKED, {"Body": body(b"content"), "ETag": '"1f"'}) as s3:
        assert S3Objects(s3.client, "archive").get("a/b.gz") == StoredObject(b"content", '"1f"')


def test_a_tag_is_asked_for_without_the_object() -> None:
    with Stubbed("s3").answers("head_object", ASKED, {"ETag": '"1f"'}) as s3:
        assert S3Objects(s3.client, "archive").etag("a/b.gz") == '"1f"'


@pytest.mark.parametrize(("method", "operation"), [("get", "get_object"), ("etag", "head_object")])
# GetObject names NoSuchKey; HeadObject has no body, so botocore knows its status alone (S3 API reference, 2026-11).
@pytest.mark.parametrize("code", ["NoSuchKey", "404", "NotFound"])
def test_only_what_is_not_there_is_none(method: str, operation: str, code: str) -> None:
    with Stubbed("s3").refuses(operation, ASKED, code) as s3:
        assert getattr(S3Objects(s3.client, "archive"), method)("a/b.gz") is None


@pytest.mark.parametrize(
    ("operation", "use", "said"),
    [
        ("get_object", lambda store: store.get("a/b.gz"), "read s3://archive/a/b.gz"),
        ("head_object", lambda store: store.etag("a/b.gz"), "read s3://archive/a/b.gz"),
        ("list_objects_v2", lambda store: list(store.keys("a/")), "list s3://archive/a/"),
        ("put_object", lambda store: store.put("a/b.gz", b"1"), "write s3://archive/a/b.gz"),
        ("delete_object", lambda store: store.delete("a/b.gz"), "delete s3://archive/a/b.gz"),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "InternalError", "403", "SlowDown", "-"])
def test_every_other_error_names_the_verb_the_object_and_the_reason(
    operation: str, use: Any, said: str, code: str
) -> None:
    asked: dict[str, Any] = {"Bucket": "archive", "Prefix": "a/"} if operation == "list_objects_v2" else dict(ASKED)
    if operation == "put_object":
        asked |= {"Body": b"1", "ContentType": "application/octet-stream"}
    if code == "-":  # no answer at all
        with unreachable("s3") as client, pytest.raises(StoreError) as raised:
            use(S3Objects(client, "archive"))
    else:
        with Stubbed("s3").refuses(operation, asked, code) as s3, pytest.raises(StoreError) as raised:
            use(S3Objects(s3.client, "archive"))
    assert str(raised.value) == f"cannot {said}: {'EndpointConnectionError' if code == '-' else code}"
    assert type(raised.value) is StoreError
    assert isinstance(raised.value.__cause__, EndpointConnectionError if code == "-" else ClientError)


def test_a_body_that_breaks_off_is_no_object() -> None:
    class Broken(BytesIO):
        def read(self, *_: object) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://aws.example")

    cut_off: Any = StreamingBody(Broken(), 7)
    s3 = Stubbed("s3").answers("get_object", ASKED, {"Body": cut_off, "ETag": '"1f"'})
    with s3, says(StoreError, "cannot read s3://archive/a/b.gz: ReadTimeoutError"):
        S3Objects(s3.client, "archive").get("a/b.gz")


def test_keys_come_from_all_pages_and_a_page_may_have_none() -> None:
    first = {"Bucket": "archive", "Prefix": "a/"}
    s3 = Stubbed("s3").answers(
        "list_objects_v2",
        first,
        {"IsTruncated": True, "NextContinuationToken": "2", "Contents": [{"Key": "a/1"}, {"Key": "a/2"}]},
    )
    s3.answers(
        "list_objects_v2", {**first, "ContinuationToken": "2"}, {"IsTruncated": True, "NextContinuationToken": "3"}
    )
    s3.answers(
        "list_objects_v2", {**first, "ContinuationToken": "3"}, {"IsTruncated": False, "Contents": [{"Key": "a/3"}]}
    )
    with s3:
        assert list(S3Objects(s3.client, "archive").keys("a/")) == ["a/1", "a/2", "a/3"]


def test_a_list_that_breaks_off_is_not_taken_for_the_end() -> None:
    first = {"Bucket": "archive", "Prefix": "a/"}
    s3 = Stubbed("s3").answers(
        "list_objects_v2", first, {"IsTruncated": True, "NextContinuationToken": "2", "Contents": [{"Key": "a/1"}]}
    )
    s3.refuses("list_objects_v2", {**first, "ContinuationToken": "2"}, "InternalError")
    with s3:
        keys = S3Objects(s3.client, "archive").keys("a/")
        assert next(keys) == "a/1"
        with says(StoreError, "cannot list s3://archive/a/: InternalError"):
            next(keys)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"ContentType": "application/octet-stream"}),
        ({"content_type": "text/csv"}, {"ContentType": "text/csv"}),
        (
            {"content_type": "application/json", "content_encoding": "gzip"},
            {"ContentType": "application/json", "ContentEncoding": "gzip"},
        ),
        ({"if_absent": True}, {"ContentType": "application/octet-stream", "IfNoneMatch": "*"}),
        ({"if_etag": '"1f"'}, {"ContentType": "application/octet-stream", "IfMatch": '"1f"'}),
        ({"if_etag": ""}, {"ContentType": "application/octet-stream", "IfMatch": ""}),  # no condition gets lost
    ],
)
def test_an_object_is_written_on_its_condition(given: dict[str, Any], sent: dict[str, str]) -> None:
    with Stubbed("s3").answers("put_object", {**ASKED, "Body": b"1", **sent}, {"ETag": '"2a"'}) as s3:
        assert S3Objects(s3.client, "archive").put("a/b.gz", b"1", **given) == '"2a"'


class Content:
    """Equal to every body from which this is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __eq__(self, other: Any) -> bool:
        return bool(other.read() == self.content)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {"ContentType": "application/octet-stream"}),
        ({"content_type": "application/json"}, {"ContentType": "application/json"}),
        ({"if_absent": True}, {"ContentType": "application/octet-stream", "IfNoneMatch": "*"}),
        ({"if_etag": '"1f"'}, {"ContentType": "application/octet-stream", "IfMatch": '"1f"'}),
    ],
)
def test_a_packed_object_is_unpacked_while_it_is_written(given: dict[str, Any], sent: dict[str, str]) -> None:
    with Stubbed("s3").answers("put_object", {**ASKED, "Body": Content(b"content"), **sent}, {"ETag": '"2a"'}) as s3:
        assert S3Objects(s3.client, "archive").put_unpacked("a/b.gz", gzip.compress(b"content"), **given) == '"2a"'


@pytest.mark.parametrize(
    ("code", "given", "is_conflict"),
    [
        # 412: the condition does not hold. 409: another conditional write is under way. 404 to IfMatch: the object is
        # gone (Amazon S3 User Guide, conditional writes, read 2026-11).
        ("PreconditionFailed", {"if_absent": True}, True),
        ("PreconditionFailed", {"if_etag": '"1f"'}, True),
        ("ConditionalRequestConflict", {"if_absent": True}, True),
        ("NoSuchKey", {"if_etag": '"1f"'}, True),
        ("404", {"if_etag": '"1f"'}, True),
        ("NotFound", {"if_etag": '"1f"'}, True),
        ("NoSuchKey", {}, False),
        ("NoSuchKey", {"if_absent": True}, False),
        ("NoSuchBucket", {"if_etag": '"1f"'}, False),
        ("AccessDenied", {"if_absent": True}, False),
    ],
)
def test_only_a_condition_that_did_not_hold_is_a_conflict(code: str, given: dict[str, Any], is_conflict: bool) -> None:
    condition = {"IfNoneMatch": "*"} if "if_absent" in given else {"IfMatch": '"1f"'} if given else {}
    asked = {**ASKED, "Body": b"1", "ContentType": "application/octet-stream", **condition}
    with Stubbed("s3").refuses("put_object", asked, code) as s3, pytest.raises(StoreError) as raised:
        S3Objects(s3.client, "archive").put("a/b.gz", b"1", **given)
    said = "s3://archive/a/b.gz: written by somebody else meanwhile"
    assert str(raised.value) == (said if is_conflict else f"cannot write s3://archive/a/b.gz: {code}")
    assert type(raised.value) is (ConflictError if is_conflict else StoreError)


def test_an_object_is_deleted() -> None:
    with Stubbed("s3").answers("delete_object", ASKED, {}) as s3:
        S3Objects(s3.client, "archive").delete("a/b.gz")


def refused(store: ObjectStore, content: bytes, **condition: Any) -> str:
    with pytest.raises(ConflictError) as raised:
        store.put("key", content, **condition)
    return str(raised.value)


def test_the_twin_keeps_the_conditions() -> None:
    store, said = MemoryObjects(), "s3://memory/key: written by somebody else meanwhile"
    assert (store.get("key"), store.etag("key"), refused(store, b"0", if_etag='"1f"')) == (None, None, said)
    first = store.put("key", b"1", if_absent=True)
    assert store.get("key") == StoredObject(b"1", first)
    assert refused(store, b"2", if_absent=True) == said
    second = store.put("key", b"2", if_etag=first)
    assert refused(store, b"3", if_etag=first) == said
    assert refused(store, b"3", if_etag="") == said
    assert (store.get("key"), store.etag("key")) == (StoredObject(b"2", second), second)
    assert store.put("key", b"2") == second  # a tag depends on the content, as S3's
    assert len({first, second, store.put("key", b"")}) == 3
    third = store.put_unpacked("key", gzip.compress(b"4"), if_etag=store.etag("key"))
    assert store.get("key") == StoredObject(b"4", third)
    for condition in ({"if_absent": True}, {"if_etag": second}):
        with says(ConflictError, said):
            store.put_unpacked("key", gzip.compress(b"5"), **condition)
    store.delete("key")
    store.delete("key")
    assert store.get("key") is None


def test_the_twin_lists_in_order_and_starts_from_a_copy() -> None:
    given = {"b/2": b"", "a/1": b"", "b/1": b"content"}
    store = MemoryObjects("archive", given)
    assert (list(store.keys("b/")), list(store.keys("c"))) == (["b/1", "b/2"], [])
    store.delete("b/1")
    assert (store.bucket, given["b/1"]) == ("archive", b"content")
