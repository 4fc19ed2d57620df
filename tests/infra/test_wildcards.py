"""Every wildcard of every policy statement stands in docs/security.md, with its actions and the reason why it stays."""

from __future__ import annotations

import re

from cdk.settings import FUNCTION_SIZES
from spotlake_local.workspace import ROOT
from tests.infra.conftest import Synthesised
from tests.infra.policies import roles
from tests.infra.templates import Template

FUNCTION = "|".join(FUNCTION_SIZES)
ROW = re.compile(r"^\| `(?P<resource>[^`]*)` \| (?P<actions>[^|]*) \| (?P<reason>[^|]{15,}) \|$", re.M)


def short(resource: str) -> str:
    """An ARN as the page writes it: without account and region, with STAGE and FUNCTION for names.

    >>> short("arn:aws:logs:us-west-2:111111111111:log-group:/aws/lambda/spotlake-azure-test-sps:*")
    'logs:log-group:/aws/lambda/spotlake-azure-STAGE-FUNCTION:*'
    """
    text = re.sub(r"^arn:aws:(\w+):[\w-]*:\d*:", r"\1:", resource)
    text = re.sub(r"(spotlake-(?:azure-)?)(?:test|other)\b", r"\1STAGE", text)
    return re.sub(rf"(/aws/lambda/spotlake-azure-STAGE)-(?:{FUNCTION}):", r"\1-FUNCTION:", text)


def granted(template: Template) -> set[tuple[str, str]]:
    """(resource, action) of every statement with a wildcard in its resource, and (leading key, action) as well."""
    found = set()
    for role in roles(template):
        for one in role.statements():
            conditions = [values for test in one.get("Condition", {}).values() for values in test.values()]
            keys = [key for values in conditions for key in (values if isinstance(values, list) else [values])]
            places = [*(short(resource) for resource in one["Resource"]), *(f"dynamodb:{key}" for key in keys)]
            found |= {(place, action) for place in places if "*" in place for action in one["Action"]}
            assert not [action for action in one["Action"] if "*" in action]
    return found


def listed() -> set[tuple[str, str]]:
    text = (ROOT / "docs/security.md").read_text().split("## Wildcards that stay")[1].split("\n## ")[0]
    rows = list(ROW.finditer(text))
    assert len(rows) == text.count("\n| `"), "each row gives resource, actions and a reason"
    return {(row["resource"], action) for row in rows for action in re.findall(r"`([^`]+)`", row["actions"])}


def test_the_page_lists_every_wildcard_and_no_other(synthesised: Synthesised) -> None:
    found = granted(synthesised.test) | granted(synthesised.other)
    assert found - listed() == set(), "docs/security.md does not say why these stay"
    assert listed() - found == set(), "docs/security.md lists what is not there"
