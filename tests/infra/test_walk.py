"""A walk through both templates: whatever part of a resource is dropped, a check notices that knows what it is for.

The snapshot of test_template.py notices everything too, but one command writes it anew; so it has no say here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from tests.infra import (
    test_athena,
    test_machines,
    test_real_account,
    test_template,
)
from tests.infra.conftest import Synthesised
from tests.infra.promises import broken
from tests.infra.rights import bare, granted, told
from tests.infra.templates import Template
from tests.support.drops import Path, Walk, drops, without

type Check = Callable[[Synthesised], object]

# Members that only people read: a statement's or resource's name and words, and the tags that the CDK writes.
WORDS = frozenset({"Sid", "Description", "Comment", "Tags", "TagSpecifications"})
OF_BOTH = (
    test_template.test_data_outlives_the_stack,
    test_template.test_the_workload_table_alone_can_have_provisioned_units,
    test_template.test_raw_data_expires_where_that_is_asked_for,
    test_template.test_the_schedule_is_off_until_asked_for_and_gives_up_in_time,
    test_template.test_functions_and_job_are_given_the_same_settings,
    test_machines.test_the_machines_tell_their_role_only_by_imds_v2,
    test_machines.test_the_machines_reach_https_alone_and_nothing_reaches_them,
    test_machines.test_every_service_that_says_for_whom_it_acts_acts_for_this_account_alone,
    test_machines.test_lists_of_images_are_counted_and_parts_of_them_only_go_when_nothing_names_them,
    test_real_account.test_only_a_merged_run_counts_as_a_run,
    test_real_account.test_a_budget_tells_the_one_who_pays,
)  # fmt: skip
OF_ANOTHER_STAGE = (
    test_athena.test_tables_have_the_columns_of_the_files,
    test_athena.test_a_query_has_a_limit_and_its_results_are_packed_away_and_deleted,
)
OF_THE_DEFAULTS = (
    test_template.test_the_tables_are_as_the_code_uses_them,
    test_template.test_the_bucket_is_private_versioned_and_forgets_old_versions,
    test_template.test_functions_run_the_right_python_and_end_in_time,
    test_template.test_no_log_is_kept_for_ever,
    test_template.test_the_state_machine_can_be_redriven_logged_and_traced,
    test_template.test_the_fleet_is_spot_bounded_and_gone_when_idle,
    test_template.test_only_a_lost_machine_is_tried_again,
    test_template.test_every_placeholder_of_the_state_machine_is_filled_and_no_other_is_given,
    test_real_account.test_machines_pass_on_the_notice_that_they_are_taken_away,
)  # fmt: skip
OF_EITHER = (
    test_real_account.test_every_topic_that_an_alarm_names_lets_cloudwatch_publish,
    test_real_account.test_a_job_that_no_machine_takes_is_given_up,
)


# An ``assert`` that fails thousands of times would have pytest explain it thousands of times.
def every_policy_is_as_rights_toml_says(template: Template, stage: str) -> None:
    found, wanted = granted(template), told(stage)
    for owner in found.keys() | wanted.keys():
        if found.get(owner) != wanted.get(owner):
            raise AssertionError(_unlike(owner, found.get(owner, {}), wanted.get(owner, {})))


def _unlike(owner: str, found: Mapping[str, set[str]], wanted: Mapping[str, set[str]]) -> str:
    """What a policy grants and rights.toml does not say, and the other way round, in the words of rights.toml."""
    more, less = (
        [
            f"{json.dumps(acts)} = {json.dumps(sorted(places))}"
            for acts in one
            if (places := one[acts] - other.get(acts, set()))
        ]
        for one, other in ((found, wanted), (wanted, found))
    )
    lines = (
        f"[{owner}] differs from tests/infra/rights.toml: change the grant in cdk/constructs, or these lines by hand",
        *(f"granted, not in rights.toml: {line}" for line in more),
        *(f"in rights.toml, not granted: {line}" for line in less),
    )
    return "\n".join(lines)


def every_promise_is_kept(template: Template, stage: str) -> None:
    for one in broken(template, stage):
        raise AssertionError(one)


def on(check: Callable[..., object], stage: str, more: tuple[str, ...], given: Synthesised) -> object:
    """A check of one stage's template."""
    return check(getattr(given, stage), *more)


def checks(stage: str) -> Mapping[str, Check]:
    """The checks of a stage's template by their names: first those that stand elsewhere, then the two tables."""
    found: dict[str, Check] = {one.__name__: one for one in OF_BOTH + (OF_ANOTHER_STAGE if stage == "other" else ())}
    if stage == "test":
        found |= {one.__name__: partial(on, one, stage, ()) for one in OF_THE_DEFAULTS}
    found |= {one.__name__: partial(one, stage=stage) for one in OF_EITHER}
    tables = (every_policy_is_as_rights_toml_says, every_promise_is_kept)
    return {**found, **{one.__name__: partial(on, one, stage, (stage,)) for one in tables}}


def is_intrinsic(value: Any) -> bool:
    """A function of CloudFormation is one value: what it is made of cannot be left out."""
    return isinstance(value, Mapping) and any(name == "Ref" or name.startswith("Fn::") for name in value)


def tried(given: Synthesised, stage: str) -> Iterator[tuple[str, Synthesised]]:
    """Each drop of a stage's resources: its name, and both templates with that part missing in one."""
    template: Template = getattr(given, stage)
    for path in drops(template.resources, words=WORDS, whole=is_intrinsic):
        if path[1:2] == ("Type",) or "DefinitionString" in path[:-1]:
            continue  # a resource without a type is none; the file has a walk of its own (tests/workflow/test_walk.py)
        left = without(template.resources, path)
        first = {path[0]: left[path[0]]} if path[0] in left else {}  # where a check looks first
        content = {**template.content, "Resources": {**first, **left}}
        yield named(path), _with(given, stage, Template(content))


def _with(given: Synthesised, stage: str, template: Template) -> Synthesised:
    return given._replace(test=template) if stage == "test" else given._replace(other=template)


def named(path: Path) -> str:
    """A path as people read it."""
    return "/".join([bare(str(path[0])), *map(str, path[1:])])


@pytest.mark.parametrize("stage", ["test", "other"])
def test_whatever_is_dropped_from_a_template_is_noticed(synthesised: Synthesised, stage: str) -> None:
    walk = Walk(checks(stage))
    assert [name for name, check in walk.checks.items() if check(synthesised)] == []  # each passes on what is whole
    walk.go(tried(synthesised, stage))
    sys.stdout.write(walk.told(f"template of stage {stage}") + "\n")
    assert walk.unnoticed == [], "write a test for each, or a line with its reason in tests/infra/promises"
    assert walk.noticed.total() > 1500


def test_a_policy_that_differs_is_told_in_lines_of_rights_toml() -> None:
    told = _unlike("PlanRole", {"s3:GetObject": {"s3:b/a", "s3:b/b"}}, {"s3:GetObject": {"s3:b/a"}, "sqs:*": {"*"}})
    assert told.splitlines()[0].startswith("[PlanRole] differs from tests/infra/rights.toml: ")
    assert told.splitlines()[1:] == [
        'granted, not in rights.toml: "s3:GetObject" = ["s3:b/b"]',
        'in rights.toml, not granted: "sqs:*" = ["*"]',
    ]
