"""CloudFormation: a bucket that a change set adopts is not one whose name somebody else has taken; budgets."""

from __future__ import annotations

import contextvars
import json
from typing import Any

from ministack.services import budgets
from ministack.services.cloudformation import changesets, provisioners, stacks

from spotlake.errors import StoreError
from spotlake_local.aws.patches import need

_adopted: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar("adopted_buckets", default=frozenset())


def install() -> None:
    """Without it ``--import-existing-resources`` takes over tables and no bucket, and a budget is refused."""
    deploy = need(stacks, "_deploy_stack_async", "buckets that are adopted")
    conflict = need(provisioners, "s3_bucket_name_conflict", "buckets that are adopted")

    async def deploy_adopting(*arguments: Any, imports: dict[str, Any] | None = None, **more: Any) -> Any:
        identifiers = (imports or {}).values()
        _adopted.set(frozenset(one["BucketName"] for one in identifiers if "BucketName" in one))
        return await deploy(*arguments, imports=imports, **more)

    need(changesets, "_deploy_stack_async", "buckets that are adopted")
    changesets._deploy_stack_async = deploy_adopting
    provisioners.s3_bucket_name_conflict = lambda name: None if name in _adopted.get() else conflict(name)
    need(budgets, "_create_budget", "CloudFormation for budgets")
    handlers = need(provisioners, "_RESOURCE_HANDLERS", "CloudFormation for budgets")
    handlers["AWS::Budgets::Budget"] = {"create": _create_budget, "delete": _delete_budget}


def _create_budget(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    del logical_id, stack_name
    limit = properties["Budget"]["BudgetLimit"]
    budget = {**properties["Budget"], "BudgetLimit": {**limit, "Amount": str(limit["Amount"])}}
    budgets._budgets.pop(budget["BudgetName"], None)  # an update makes it anew
    status, _, body = budgets._create_budget({**properties, "Budget": budget})
    if status != 200:
        raise StoreError(str(json.loads(body)))
    return str(budget["BudgetName"]), {}


def _delete_budget(physical_id: str, properties: dict[str, Any]) -> None:
    del properties
    budgets._budgets.pop(physical_id, None)
