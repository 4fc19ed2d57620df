"""Builds what the full run's job needs, beside ``wiring``: all collectors at once, as threads of one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from spotlake.azure.http import new_session
from spotlake.clock import Deadline
from spotlake.models import Run, WorkItem
from spotlake.names import regions_to_collect
from spotlake.planning.attempt import Work
from spotlake.reports import CollectorReport
from spotlake.state.checkpoints import Checkpoint
from spotlake.state.locations import LOCATIONS
from spotlake.usecases.collect.eviction_rates import collect_eviction_rates
from spotlake.usecases.collect.placement_scores import collect_placement_scores
from spotlake.usecases.collect.prices import collect_prices
from spotlake.usecases.collect.sizes import SizesDeps, collect_sizes
from spotlake.usecases.full_run.run_full import FullRunDeps, OnListed
from spotlake.wiring import Services


def full_run_deps(
    services: Services,
    run: Run,
    deadline: Deadline,
    stopping: Callable[[], bool],
    on_report: Callable[[CollectorReport], None],
) -> FullRunDeps:
    """Dependencies of the full run's job.

    Args:
        services: Settings, stores and clients of the process.
        run: The attempt.
        deadline: Deadline of the job.
        stopping: Whether the machine is being taken away.
        on_report: Called with the report of each region and data set.
    """

    def prices(run: Run, item: WorkItem, on_listed: OnListed) -> CollectorReport:
        return collect_prices(run, item, replace(services.price_deps(run, deadline), on_listed=on_listed))

    def scores(run: Run, item: WorkItem, work: Work, checkpoint: Checkpoint) -> CollectorReport:
        deps = replace(
            services.placement_deps(run, deadline, work),
            already=checkpoint.already,
            on_call_done=checkpoint.note,
            stopping=stopping,
        )
        return collect_placement_scores(run, item, deps)

    prepare = services.prepare_deps(run, deadline)
    return FullRunDeps(
        objects=services.objects,
        regions=regions_to_collect(prepare.routing),
        prepare=prepare,
        collect_prices=prices,
        collect_eviction_rates=lambda run, item: collect_eviction_rates(
            run, item, services.eviction_deps(run, deadline)
        ),
        collect_scores=scores,
        stopping=stopping,
        on_report=on_report,
        collect_sizes=lambda run, pairs: collect_sizes(run, pairs, _sizes_deps(services, run, deadline, stopping)),
    )


def _sizes_deps(services: Services, run: Run, deadline: Deadline, stopping: Callable[[], bool]) -> SizesDeps:
    placement = services.placement_deps(run, deadline)
    known = LOCATIONS.read(services.objects)
    return SizesDeps(
        objects=services.objects,
        session=new_session(),
        tokens=placement.tokens,
        subscriptions=placement.subscriptions,
        zones=placement.zones,
        geographies=known.geographies if known else {},
        clock=placement.clock,
        deadline=deadline,
        settings=services.settings,
        stopping=stopping,
    )
