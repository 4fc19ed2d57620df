"""The Azure half of ``spotlake doctor``. Each check looks at one thing, and says "passed" or what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from spotlake.errors import SpotlakeError
from spotlake_local.aws_doctor.account import Verdict, to_do
from spotlake_local.azure_doctor import apis, signing_in
from spotlake_local.azure_doctor.target import Target


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        name: Name of the check.
        look: Looks, and returns the verdict.
        needs: Checks that have to pass first. One fault is one red line.
    """

    name: str
    look: Callable[[Target], Verdict]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("credentials", signing_in.credentials),
    Check("clock, network", signing_in.clock),
    Check("sign-in", signing_in.sign_in, ("credentials", "clock, network")),
    Check("secret's end", signing_in.end_of_secret, ("sign-in",)),
    Check("resource manager", apis.resource_manager, ("sign-in",)),
    Check("roles", apis.roles, ("resource manager",)),
    Check("zones", apis.zones, ("resource manager",)),
    Check("placement scores", apis.placement_scores, ("resource manager",)),
    Check("eviction rates", apis.eviction_rates, ("resource manager",)),
    Check("prices", apis.prices),
    Check("quota", apis.quota, ("credentials",)),
)


def check_azure(target: Target, *, skip: Collection[str] = ()) -> Iterator[tuple[str, Verdict]]:
    """Yield name and verdict of every check that is not to be skipped, in order."""
    passed: set[str] = set()
    for check in (one for one in CHECKS if one.name not in skip):
        missing = [name for name in check.needs if name not in passed]
        if missing:
            verdict = Verdict(passed=False, later=True, said=f"not looked at: {missing[0]} comes first")
        else:
            verdict = _looked(check, target)
        if verdict.passed:
            passed.add(check.name)
        yield check.name, verdict


def _looked(check: Check, target: Target) -> Verdict:
    try:
        return check.look(target)
    except SpotlakeError as error:
        return to_do(f"{error}: {error.recovery.value}")
