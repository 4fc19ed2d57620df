"""The routes of ARM's lists: subscriptions, their locations, sizes and vCPU quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spotlake_local.azure import resource_skus, subscriptions
from spotlake_local.azure.answers import json_answer
from spotlake_local.azure.faults import Fault
from spotlake_local.azure.paths import location_of, with_arm_headers

if TYPE_CHECKING:
    from spotlake_local.azure.server import AzureSimulator


class Lists:
    """What is read, not asked."""

    def __init__(self, simulator: AzureSimulator) -> None:
        """For one simulator."""
        self.simulator = simulator

    def routes(self, arm: str) -> list[Route]:
        """All of them; ``arm`` is the path of a subscription."""
        return [
            Route("/subscriptions", self.list_subscriptions),
            Route(arm, self.one_subscription),
            Route(arm + "/locations", self.locations),
            Route(arm + "/providers/Microsoft.Authorization/permissions", self.permissions),
            Route(arm + "/providers/Microsoft.Compute/skus", self.compute_skus),
            Route(arm + "/providers/Microsoft.Compute/locations/{location}/usages", self.usages),
        ]

    async def list_subscriptions(self, request: Request) -> Response:
        """Those that the principal has a role on."""

        def work(_: Fault | None) -> Response:
            self.simulator.front_door(request)
            self.simulator.check_version(request, *subscriptions.LOCATION_VERSIONS)
            value = [
                self._subscription(one) for one in self.simulator.subscriptions if one not in self.simulator.no_role
            ]
            return json_answer({"value": value, "count": {"type": "Total", "value": len(value)}})

        return with_arm_headers(request, await self.simulator.answer("subscriptions", work))

    async def one_subscription(self, request: Request) -> Response:
        """One subscription."""
        return await self._of_one(request, "subscriptions", "read", subscriptions.LOCATION_VERSIONS, "")

    async def locations(self, request: Request) -> Response:
        """A subscription's locations, with its own zone numbers."""
        return await self._of_one(request, "locations", "locations/read", subscriptions.LOCATION_VERSIONS, "locations")

    async def permissions(self, request: Request) -> Response:
        """What the caller may do: the actions of Reader, and of Compute Recommendations Role where it is assigned."""
        versions = subscriptions.PERMISSION_VERSIONS
        return await self._of_one(request, "permissions", "permissions/read", versions, "permissions")

    async def compute_skus(self, request: Request) -> Response:
        """Sizes and disks, of one region when the filter names it."""
        return await self._of_one(request, "skus", "skus/read", resource_skus.VERSIONS, "skus")

    async def usages(self, request: Request) -> Response:
        """VCPU quota of a region."""
        return await self._of_one(request, "usages", "usages/read", subscriptions.USAGE_VERSIONS, "usages")

    async def _of_one(self, request: Request, api: str, action: str, versions: Sequence[str], what: str) -> Response:
        subscription = request.path_params["subscription"]

        def work(_: Fault | None) -> Response:
            self.simulator.front_door(request)
            self.simulator.check_version(request, *versions)
            self.simulator.check_role(subscription, f"Microsoft.Resources/subscriptions/{action}")
            return json_answer(self._listed(request, subscription, what))

        return with_arm_headers(request, await self.simulator.answer(api, work, subscription=subscription))

    def _listed(self, request: Request, subscription: str, what: str) -> dict[str, Any]:
        query = request.query_params
        if what == "locations":
            extended = query.get("includeExtendedLocations", "").lower() == "true"
            version = query["api-version"]
            value = subscriptions.locations_of(
                self.simulator.world,
                subscription,
                version=version,
                extended=extended,
                unlisted=self.simulator.unlisted_regions,
            )
            return {"value": value}
        if what == "skus":
            region = query.get("$filter", "").rpartition(" eq ")[2].strip("'").lower()
            world = self.simulator.world
            regions = [one for one in world.ondemand if region in ("", one)]
            return {"value": [sku for one in regions for sku in resource_skus.skus_of(world, subscription, one)]}
        if what == "permissions":
            has_scores = subscription not in self.simulator.no_score_role
            return {"value": subscriptions.permissions_of(has_scores=has_scores)}
        if what == "usages":
            location = location_of(request)
            self.simulator.check_location(location, request.query_params["api-version"], "locations/usages", ())
            return {"value": subscriptions.usages_of(self.simulator.world, subscription, location)}
        return self._subscription(subscription)

    def _subscription(self, subscription: str) -> dict[str, Any]:
        number = self.simulator.subscriptions.index(subscription) + 1
        return subscriptions.subscription_of(subscription, self.simulator.entra.tenant_id, number)
