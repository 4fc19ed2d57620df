"""What the stack promises of its resources (``promises/*.yaml``), and what a template keeps of it.

A promise in these files, which are read and changed by hand, and never written by a program:

* of: type (without ``AWS::``) and name of the resource; both may hold ``*``, and names end before the CDK's hash.
* why: what it is good for.
* only: the one stage that has it ("test": the defaults, "other": ``OTHER`` of conftest.py).
* count: how many there are, else one.
* has: what each must hold, shortened as in rights.toml; a key of our own state begins with STATE. In texts ``*``
  stands for anything.

What policies grant and deny stands in rights.toml.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from tests.infra.rights import bare, short
from tests.infra.templates import Template
from tests.support.drops import unlike

FOLDER = Path(__file__).with_name("promises")

type Promise = Mapping[str, Any]


@functools.cache
def promises() -> tuple[Promise, ...]:
    """All of them, in order of their files."""
    return tuple(one for path in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load(path.read_text("utf-8")))


@functools.cache
def of(named: str, stage: str) -> tuple[Promise, ...]:
    """The promises of one resource ("S3::Bucket StorageBucket")."""
    return tuple(one for one in promises() if one.get("only", stage) == stage and fnmatchcase(named, one["of"]))


def broken(template: Template, stage: str) -> Iterator[str]:
    """Every promise that a template does not keep, in order of its resources; those of a wrong number come last."""
    found: Counter[int] = Counter()
    for logical_id, resource in template.resources.items():
        name = f"{resource['Type'].removeprefix('AWS::')} {bare(logical_id)}"
        for promise in of(name, stage):
            found[id(promise)] += 1
            yield from unlike(promise["has"], template.resolve(resource), name, short)
    for promise in promises():
        if promise.get("only", stage) == stage and found[id(promise)] != promise.get("count", 1):
            yield f"{promise['of']}: {found[id(promise)]} of them"
