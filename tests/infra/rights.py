"""What a template's policies grant and deny, statement by statement, in the words of ``rights.toml``."""

from __future__ import annotations

import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spotlake import keys
from tests.infra.templates import ACCOUNT, REGION, Template

FILE = Path(__file__).with_name("rights.toml")
_WORDS = {
    ("Allow", "Action"): "",
    ("Deny", "Action"): "deny ",
    ("Deny", "NotAction"): "deny all but ",
}
_PLACES = {"Resource": "", "NotResource": "anything but "}

type Rights = dict[str, dict[str, set[str]]]  # owner -> what may (not) be done, and when -> where


def bare(logical_id: str) -> str:
    """A logical id without the hash that the CDK puts at its end.

    >>> bare("StorageBucket5CB7C8EA")
    'StorageBucket'
    """
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


@functools.cache
def short(resource: str) -> str:
    """An ARN without what every one has: partition, account, region of the stack, stage, hashes.

    A key of S3 stands apart from its bucket. A key alone that is one of our own state begins with STATE.

    >>> short("arn:aws:dynamodb:us-east-1:111111111111:table/AzureAuth"), short("arn:aws:s3:::spotlake-test/a/*")
    ('dynamodb:us-east-1:table/AzureAuth', 's3:spotlake-STAGE a/*')
    >>> short("state/azure/a/")
    'STATE a/'
    """
    text = resource.replace(f":{REGION}:", ":").replace(f":{ACCOUNT}:", ":")
    text = re.sub(r"^arn:aws:(\w+):+", r"\1:", re.sub(r"^arn:aws:other:+", "", text))
    text = re.sub(r"\b((?:spotlake-)?azure-|spotlake-)(?:test|other)\b", r"\1STAGE", text)
    text = re.sub(r"[0-9a-f]{64}", "HASH", re.sub(r"^(s3:[^/]+)/", r"\1 ", text))
    text = re.sub(rf"^{keys.STATE_PREFIX}", "STATE ", text)
    return bare(text) if text != ACCOUNT else "this account"


def granted(template: Template) -> Rights:
    """Every statement of every policy: of roles by their own name, of the rest by the resource they protect."""
    found: Rights = defaultdict(lambda: defaultdict(set))
    for logical_id, resource in template.resources.items():
        properties = resource.get("Properties", {})
        if "PolicyDocument" not in properties:
            continue
        owners = [bare(one["Ref"]) for one in properties["Roles"]] if "Roles" in properties else [bare(logical_id)]
        for statement in properties["PolicyDocument"]["Statement"]:
            for what, where in _parts(template.resolve(statement)):
                for owner in owners:
                    found[owner][what].add(where)
    return found


def _parts(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    (acts,) = [name for name in ("Action", "NotAction") if name in statement]
    (places,) = [name for name in _PLACES if name in statement]
    named = " ".join(sorted(_listed(statement[acts])))
    who = f" by {_principal(statement['Principal'])}" if "Principal" in statement else ""
    when = "".join(f" if {test}" for test in sorted(_tests(statement.get("Condition", {}))))
    for place in _listed(statement[places]):
        yield f"{_WORDS[statement['Effect'], acts]}{named}{who}{when}", _PLACES[places] + short(place)


def _principal(principal: Mapping[str, str]) -> str:
    ((kind, name),) = principal.items()
    return "anybody" if (kind, name) == ("AWS", "*") else name


def _tests(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for operator, compared in condition.items():
        for key, values in compared.items():
            yield f"{operator} {key} {' '.join(short(str(one)) for one in _listed(values))}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@functools.cache
def told(stage: str) -> Rights:
    """What ``rights.toml`` says of a stage: the lines of both, and its own."""
    found: Rights = {}
    for owner, lines in tomllib.loads(FILE.read_text(encoding="utf-8")).items():
        of_stage = {**lines, **lines.get(stage, {})}
        kept = {what: set(where) for what, where in of_stage.items() if isinstance(where, list) and where}
        if kept:
            found[owner] = kept
    return found
