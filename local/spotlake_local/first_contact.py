"""``AZURE=live``: before anything is started, sees whether Azure takes us, and says what the quota will give."""

from __future__ import annotations

from collections.abc import Callable

from spotlake.errors import ConfigurationError
from spotlake.planning.run_input import RunInput, matches
from spotlake_local.azure_doctor import check_azure
from spotlake_local.azure_doctor.target import Target
from spotlake_local.forecast import forecast, proposals

_NOT_BEFORE_A_RUN = ("placement scores", "eviction rates", "quota")  # the run itself asks these
_MAY_BE_RED = ("roles", "secret's end")  # a subscription without its role is set aside


def first_contact(request: RunInput, say: Callable[[str], None], target: Target | None = None) -> None:
    """Look at the sign-in and the APIs, a line each, and say the forecast.

    Args:
        request: The checked input of the run.
        say: Prints one line.
        target: Whom to look at; None: the identity in the environment.

    Raises:
        ConfigurationError: Something that every run needs is missing; the text says what to do.
    """
    target = target or Target.of_environment()
    for name, verdict in check_azure(target, skip=_NOT_BEFORE_A_RUN):
        if not verdict.passed and not verdict.later:
            if name not in _MAY_BE_RED or (name == "roles" and not target.usable):
                raise ConfigurationError(f"{name}: {verdict.said}")
            say(f"{name}: {verdict.said}; the run continues without it")
        elif verdict.passed:
            say(f"{name}: {verdict.said}")
    for sentence in forecast_of(request, target):
        say(sentence)


def forecast_of(request: RunInput, target: Target) -> list[str]:
    """What the quota gives for the run's regions and sizes, by the catalogue that comes with this code."""
    from spotlake_local.azure.world import World

    world = World()
    pairs = {
        region: [size for size in world.spot_sizes(region) if matches(size, request.instance_types)]
        for region in request.regions or world.ondemand
        if region in world.ondemand
    }
    pairs = {region: sizes for region, sizes in pairs.items() if sizes}
    if not pairs:
        return []  # a newer region or size than the catalogue has
    found = forecast(
        pairs,
        subscriptions=len(target.usable),
        locations=len(target.locations.routing) if target.locations else len(world.ondemand),
        quota_calls=target.settings.quota_calls,
        window_minutes=target.settings.quota_window_minutes,
    )
    sentences = found.sentences(len(target.usable))
    if found.needed > found.calls_a_run:
        fitting = proposals(pairs, found)
        sentences += [f"for every score in every run: {one}" for one in fitting]
    return sentences
