"""An archive in a bucket of the emulated AWS answers as the same archive in a folder does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytest

from spotlake.archive.archive import Archive
from spotlake.archive.places import Bucket
from spotlake.archive.result import Result
from spotlake.errors import StoreError
from spotlake_local.aws.launcher import EmulatedAws
from tests.functional.reading.conftest import SIZES, Kept
from tests.support.emulator import aws

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

__all__ = ["aws"]


@pytest.fixture(scope="module")
def bucket(kept: Kept, aws: EmulatedAws) -> Bucket:
    s3 = cast("S3Client", aws.client("s3"))
    s3.create_bucket(Bucket="reading", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for path in kept.folder.rglob("*.*"):
        s3.put_object(Bucket="reading", Key=path.relative_to(kept.folder).as_posix(), Body=path.read_bytes())
    return Bucket(s3, "reading")


def test_every_answer_is_that_of_the_folder(kept: Kept, bucket: Bucket) -> None:
    found = Archive(bucket)
    since, last = kept.slot(1), found.last_slot_at
    questions: tuple[Callable[[Archive], Result], ...] = (
        lambda one: one.latest(),
        lambda one: one.at(since),
        lambda one: one.at(last, times=True),
        lambda one: one.history(SIZES[0], "koreacentral", since=since),
        lambda one: one.changes(since),
        lambda one: one.differences(since, last),
    )
    for ask in questions:
        assert ask(found).table.equals(ask(kept.archive).table)
    assert found.snapshot(since) == kept.archive.snapshot(since)
    assert not len(found.history(SIZES[0], "nowhere"))


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket, aws: EmulatedAws) -> None:
    assert bucket.tail("no/such/key", 8) is None
    with pytest.raises(StoreError, match="elsewhere"):
        Archive(Bucket(cast("S3Client", aws.client("s3")), "elsewhere")).latest()
