"""The control API under ``/_control``: clock, faults, options, counts, truth, reset. The door asks for its token."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spotlake.models import from_iso, to_iso
from spotlake_local.azure.answers import json_answer
from spotlake_local.azure.faults import Fault
from spotlake_local.azure.graph import Throttle
from spotlake_local.azure.placement import SCORE_VERSIONS
from spotlake_local.azure.retail import Budget, Holes, Novelties

if TYPE_CHECKING:
    from spotlake_local.azure.server import AzureSimulator


class Control:
    """Endpoints that tests use to change and read the simulator."""

    def __init__(self, simulator: AzureSimulator) -> None:
        """For one simulator."""
        self.simulator = simulator

    def routes(self) -> list[Route]:
        """All below ``/_control``."""
        return [
            Route("/_control/clock", self.clock, methods=["GET", "POST"]),
            Route("/_control/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_control/options", self.options, methods=["POST"]),
            Route("/_control/stats", self.stats),
            Route("/_control/truth", self.truth),
            Route("/_control/reset", self.reset, methods=["POST"]),
            Route("/_control/issued", self.issued),
            Route("/_control/health", self.health),
        ]

    async def clock(self, request: Request) -> Response:
        """POST ``{"now": iso}`` sets the clock. GET and POST answer with the present time."""
        if request.method == "POST":
            self.simulator.set_clock(from_iso((await request.json())["now"]))
        return json_answer({"now": self.simulator.now().isoformat()})

    async def faults(self, request: Request) -> Response:
        """POST adds a rule, GET lists them, DELETE clears them."""
        rules = self.simulator.faults.rules
        if request.method == "DELETE":
            rules.clear()
        elif request.method == "POST":
            try:
                rules.append(Fault.from_dict(await request.json()))
            except (ValueError, TypeError) as error:
                return json_answer({"error": str(error)}, status=400)
        return json_answer({"rules": [rule.to_dict() for rule in rules]})

    async def options(self, request: Request) -> Response:
        """Set options by name (``_options``). An unknown name is refused."""
        options = self._options()
        wanted = (await request.json()).items()
        for name, _ in wanted:
            if name not in options:
                text = f"{name}: no such option; give {', '.join(options)}"
                return json_answer({"error": text}, status=400)
        for name, value in wanted:
            owner, attribute = options[name]
            # JSON has lists where the simulator has sets.
            names = isinstance(value, list) and all(isinstance(one, str) for one in value)
            setattr(owner, attribute, set(value) if names else value)
        return json_answer({})

    async def stats(self, request: Request) -> Response:
        """Counts: answers, refusals, quota used, calls answered more than once in a slot, CPU and memory."""
        del request
        account = self.simulator.account
        return json_answer(
            {
                "answers": dict(account.answers),
                "refused": dict(account.refused),
                "calls_by_pair": dict(account.calls_by_pair),
                "repeated_calls": self.simulator.placement.repeated(),
                "quota_used": self.simulator.quota.used(),
                "cpu_seconds": time.process_time(),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )

    async def truth(self, request: Request) -> Response:
        """The truth about one pair: ``?region=&size=[&at=iso][&count=1]``; 404 when it is not in the catalogue."""
        query, world = request.query_params, self.simulator.world
        region, size = query.get("region", ""), query.get("size", "")
        at = from_iso(query["at"]) if "at" in query else self.simulator.now()
        ondemand = world.ondemand.get(region, {}).get(size)
        if ondemand is None:
            return json_answer({"error": f"no such pair: {region} {size}"}, status=404)
        count = int(query.get("count", "1"))
        scores = {zone: world.score(region, size, zone, count, at) for zone in ("", *world.physical_zones(region))}
        truth: dict[str, Any] = {
            "at": to_iso(at),
            "ondemand_usd_per_hour": ondemand or None,
            "spot_usd_per_hour": world.spot_price(region, size, at),
            "eviction_band": world.eviction_band(region, size, at),
            "desired_count": count,
            "scores_by_physical_zone": scores,
        }
        return json_answer(truth)

    async def reset(self, request: Request) -> Response:
        """Reset faults, counts, quota history and options. The clock and issued tokens stay."""
        del request
        simulator = self.simulator
        simulator.resets += 1
        simulator.faults.rules.clear()
        simulator.account.clear()
        placement, quota = simulator.placement, simulator.quota
        placement.answered.clear()
        placement.invalid_regions, placement.invalid_sizes = set(), set()
        quota.clear()
        quota.calls, quota.window_seconds = 10, 3600.0
        quota.per_location, quota.counts_invalid, quota.retry_after = True, True, False
        simulator.graph.throttle, simulator.graph.wrong_price_share = Throttle(), 0.0
        simulator.retail.budget, simulator.retail.holes, simulator.retail.novelties = Budget(), Holes(), Novelties()
        simulator.no_role, simulator.leading_blank_location = set(), False
        simulator.no_score_role = set()
        simulator.unlisted_regions, simulator.score_versions = set(), SCORE_VERSIONS
        simulator.entra.secret_expired, simulator.entra.lifetime_seconds = False, 3599
        simulator.entra.certificates, simulator.entra.federated_credentials = (), ()
        return json_answer({})

    async def issued(self, request: Request) -> Response:
        """Every token that was issued, for tests that search for them where none may be."""
        del request
        return json_answer({"tokens": list(self.simulator.entra.issued)})

    async def health(self, request: Request) -> Response:
        """Answer 200."""
        del request
        return json_answer({})

    def _options(self) -> dict[str, tuple[object, str]]:
        simulator = self.simulator
        quota, budget = simulator.quota, simulator.retail.budget
        return {
            "quota_calls": (quota, "calls"),
            "quota_window_seconds": (quota, "window_seconds"),
            "quota_per_location": (quota, "per_location"),
            "quota_counts_invalid": (quota, "counts_invalid"),
            "quota_retry_after": (quota, "retry_after"),
            "token_lifetime_seconds": (simulator.entra, "lifetime_seconds"),
            "secret_expired": (simulator.entra, "secret_expired"),
            "certificates": (simulator.entra, "certificates"),
            "federated_credentials": (simulator.entra, "federated_credentials"),
            "graph_queries": (simulator.graph.throttle, "queries"),
            "graph_window_seconds": (simulator.graph.throttle, "window_seconds"),
            "wrong_price_share": (simulator.graph, "wrong_price_share"),
            "retail_requests": (budget, "requests"),
            "retail_window_seconds": (budget, "window_seconds"),
            "retail_headers": (budget, "headers"),
            "retail_retry_after": (budget, "retry_after"),
            "retail_holes": (simulator.retail.holes, "rows"),
            "retail_holes_narrow": (simulator.retail.holes, "narrow"),
            "retail_new_kinds": (simulator.retail.novelties, "kinds"),
            "retail_second_meters": (simulator.retail.novelties, "second_meters"),
            "no_role": (simulator, "no_role"),
            "no_score_role": (simulator, "no_score_role"),
            "unlisted_regions": (simulator, "unlisted_regions"),
            "score_versions": (simulator, "score_versions"),
            "leading_blank_location": (simulator, "leading_blank_location"),
            "invalid_regions": (simulator.placement, "invalid_regions"),
            "invalid_sizes": (simulator.placement, "invalid_sizes"),
        }
