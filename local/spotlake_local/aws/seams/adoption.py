"""CloudFormation: a bucket that a change set adopts is not one whose name somebody else has taken."""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.services.cloudformation import changesets, provisioners, stacks

from spotlake_local.aws.seams import need

_adopted: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar("adopted_buckets", default=frozenset())


def install() -> None:
    """Without it ``--import-existing-resources`` takes over tables and no bucket."""
    deploy = need(stacks, "_deploy_stack_async", "buckets that are adopted")
    conflict = need(provisioners, "s3_bucket_name_conflict", "buckets that are adopted")

    async def deploy_adopting(*arguments: Any, imports: dict[str, Any] | None = None, **more: Any) -> Any:
        identifiers = (imports or {}).values()
        _adopted.set(frozenset(one["BucketName"] for one in identifiers if "BucketName" in one))
        return await deploy(*arguments, imports=imports, **more)

    need(changesets, "_deploy_stack_async", "buckets that are adopted")
    changesets._deploy_stack_async = deploy_adopting
    provisioners.s3_bucket_name_conflict = lambda name: None if name in _adopted.get() else conflict(name)
