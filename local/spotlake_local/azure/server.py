"""The simulated Azure: sign-in, ARM's front door, and the APIs behind it (``application`` has the routes)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response

from spotlake_local.azure import graph, retail
from spotlake_local.azure.answers import Account, RefusalError, arm_refusal, json_answer
from spotlake_local.azure.entra import Entra
from spotlake_local.azure.faults import Fault, Faults, after_answer, before_answer
from spotlake_local.azure.graph import ResourceGraph
from spotlake_local.azure.paths import location_of, with_arm_headers
from spotlake_local.azure.placement import SCORE_VERSIONS, THROTTLED, PlacementScores
from spotlake_local.azure.quota import Quota
from spotlake_local.azure.retail import RetailPrices
from spotlake_local.azure.world import World

_GENERATE = "Microsoft.Compute/locations/placementScores/generate/action"

type Work = Callable[[Fault | None], Response]


class AzureSimulator:
    """All four APIs over one world and one clock.

    Attributes:
        authority_url: URL of the token endpoint in the discovery document; the server sets it.
        no_role: Subscriptions on which the principal has no role.
        no_score_role: Subscriptions on which the principal may read, and not ask for scores.
        unlisted_regions: Regions that sell and stand in no list of locations (observed: swedensouth).
        score_versions: API versions of placement scores that are served.
        resets: Number of resets.
        leading_blank_location: Whether the list of supported locations begins with an empty name (observed).
    """

    def __init__(self, world: World, entra: Entra, subscriptions: list[str]) -> None:
        """The clock starts at the wall's time."""
        self.world, self.entra, self.subscriptions = world, entra, subscriptions
        self.placement = PlacementScores(world)
        self.quota = Quota()
        self.graph = ResourceGraph(world)
        self.retail = RetailPrices(world)
        self.faults = Faults()
        self.account = Account()
        self.no_role: set[str] = set()
        self.no_score_role: set[str] = set()
        self.leading_blank_location = False
        self.unlisted_regions: set[str] = set()
        self.score_versions: tuple[str, ...] | set[str] = SCORE_VERSIONS
        self.authority_url = ""
        self.resets = 0
        self._offset = timedelta()

    def now(self) -> datetime:
        """The simulator's clock."""
        return datetime.now(UTC) + self._offset

    def set_clock(self, now_at: datetime) -> None:
        """Set the clock, which then runs at normal speed."""
        self._offset = now_at - datetime.now(UTC)

    # -- sign-in -------------------------------------------------------------------------------

    async def discovery(self, request: Request) -> Response:
        """OIDC discovery."""
        tenant = request.path_params["tenant"]
        return await self.answer(
            "discovery", lambda _: json_answer(self.entra.discovery(tenant, self.authority_url, self.now()))
        )

    async def token(self, request: Request) -> Response:
        """Token endpoint."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        tenant = request.path_params["tenant"]

        def work(_: Fault | None) -> Response:
            return json_answer(self.entra.token(tenant, form, self.now(), self.authority_url))

        return await self.answer("token", work)

    # -- ARM -----------------------------------------------------------------------------------

    async def score_metadata(self, request: Request) -> Response:
        """The companion GET of placement scores."""
        subscription, location = request.path_params["subscription"], location_of(request)

        def work(_: Fault | None) -> Response:
            self.front_door(request)
            self._check_provider(request, location)
            return json_answer(
                {
                    "id": request.url.path,
                    "name": "spotPlacementScores",
                    "type": "Microsoft.Compute/placementScores",
                    "properties": {"supportedResourceTypes": ["Microsoft.Compute/virtualMachines"]},
                }
            )

        return with_arm_headers(
            request, await self.answer("sps-metadata", work, location=location, subscription=subscription)
        )

    async def scores(self, request: Request) -> Response:
        """Placement scores."""
        subscription, location = request.path_params["subscription"], location_of(request)
        body = _json_of(await request.body())
        regions = body.get("desiredLocations") if isinstance(body, dict) else None
        self.account.calls_by_pair[f"{subscription} {location}"] += 1

        def work(fault: Fault | None) -> Response:
            self.front_door(request)
            version = self._check_provider(request, location)
            self.check_role(subscription, _GENERATE)
            if not self.quota.counts_invalid:
                self.placement.check(body, location=location, version=version)
            self._take_quota(subscription, location)
            question = self.placement.check(body, location=location, version=version)
            empty = fault is not None and fault.empty
            rows = [] if empty else self.placement.answer(question, subscription, self.now())
            if fault is not None and fault.part:
                rows = rows[: fault.part]
            return json_answer({**question.echo(), "placementScores": rows})

        answer = await self.answer(
            "sps",
            work,
            location=location,
            subscription=subscription,
            regions=regions if isinstance(regions, list) else (),
        )
        return with_arm_headers(request, answer)

    async def resources(self, request: Request) -> Response:
        """Resource Graph."""
        body = _json_of(await request.body())
        named = self.graph.locations_of(body) if self.faults.rules else frozenset()

        def work(fault: Fault | None) -> Response:
            self.front_door(request)
            self.check_version(request, *graph.API_VERSIONS)
            if self.no_role.issuperset(self.subscriptions):  # one that can be read is enough
                self.check_role(self.subscriptions[0], "Microsoft.ResourceGraph/resources/read")
            # Real seconds, because the window is five seconds and local slots follow each other faster.
            allowed, headers = self.graph.throttle.take(datetime.now(UTC))
            if not allowed:
                raise graph.throttled(self.now(), headers)
            page = self.graph.answer(body, self.now(), headers)
            if fault and fault.empty:
                # Such answers came for days (observed 2024 and 2025).
                page = {"totalRecords": 0, "count": 0, "data": [], "facets": [], "resultTruncated": "false"}
            return json_answer(page, headers=headers)

        answer = await self.answer("graph", work, location=next(iter(named)) if len(named) == 1 else "")
        return with_arm_headers(request, answer)

    def front_door(self, request: Request) -> None:
        """Checks that ARM makes first. Raises RefusalError."""
        self.entra.check(request.headers.get("authorization", ""), self.now())
        if not request.query_params.get("api-version"):
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise arm_refusal(400, "MissingApiVersionParameter", text)
        subscription = request.path_params.get("subscription")
        if subscription is not None and subscription not in self.subscriptions:
            raise arm_refusal(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")

    def check_version(self, request: Request, *served: str) -> None:
        """Raises RefusalError for an API version that is not served."""
        found = request.query_params["api-version"]
        if found not in served:
            text = f"The HTTP resource that matches the request URI '{request.url.path}' does not support the API"
            raise arm_refusal(400, "UnsupportedApiVersion", f"{text} version '{found}'.")

    def _check_provider(self, request: Request, location: str) -> str:
        """The API version. Raises RefusalError with the text that lists what is supported."""
        version = request.query_params["api-version"]
        self.check_location(location, version, "locations/placementScores", sorted(self.score_versions))
        return version

    def check_location(self, location: str, version: str, what: str, versions: Sequence[str]) -> None:
        """Raises RefusalError for an unknown location or version, with the text that lists what is supported."""
        if location not in self.world.regions or (versions and version not in versions):
            known = [""] * self.leading_blank_location + list(self.world.regions)
            text = (
                f"No registered resource provider found for location '{location}' and API version '{version}' for "
                f"type '{what}'. The supported api-versions are '{', '.join(versions)}'. "
                f"The supported locations are '{', '.join(known)}'."
            )
            raise arm_refusal(400, "NoRegisteredProviderFound", text)

    def check_role(self, subscription: str, action: str) -> None:
        """Raises RefusalError when the principal has no role on the subscription."""
        if subscription in self.no_role or (action == _GENERATE and subscription in self.no_score_role):
            client = self.entra.client_id
            text = (
                f"The client '{client}' with object id '{client}' does not have authorization to perform action "
                f"'{action}' over scope '/subscriptions/{subscription}' or the scope is invalid. If access was "
                "recently granted, please refresh your credentials."
            )
            raise arm_refusal(403, "AuthorizationFailed", text)

    def _take_quota(self, subscription: str, location: str) -> None:
        if not self.quota.take(subscription, location, self.now()):
            headers = {"Retry-After": "3600"} if self.quota.retry_after else {}
            raise RefusalError(429, "quota", THROTTLED, headers=headers)

    # -- retail prices -------------------------------------------------------------------------

    async def retail_prices(self, request: Request) -> Response:
        """Retail prices."""
        try:
            query = retail.parse_query(request.query_params, str(request.url))
        except RefusalError as error:
            self.account.count("retail", error.status, error.reason)
            return error.response()

        def work(fault: Fault | None) -> Response:
            headers = self.retail.budget.spend(datetime.now(UTC))
            empty = fault is not None and fault.empty
            page = self.retail.page(query, f"http://{request.url.netloc}", self.now(), empty=empty)
            return Response(page, 200, headers, "application/json")

        return await self.answer("retail", work, location=query.filter.region or "")

    async def answer(
        self, api: str, work: Work, *, location: str = "", subscription: str = "", regions: Sequence[str] = ()
    ) -> Response:
        """Answer by a fault rule, or else with ``work``. The answer is counted in any case."""
        fault = self.faults.find(api, location=location, subscription=subscription, regions=regions)
        reason = "fault" if fault else ""
        resets = self.resets
        try:
            response = await before_answer(fault)
            if self.resets != resets:  # the request slept through a reset, so it is not counted
                return Response(b"", 503)
            response = response or after_answer(fault, work(fault))
        except RefusalError as error:
            response, reason = error.response(), error.reason
        self.account.count(api, response.status_code, reason)
        return response


def _json_of(body: bytes) -> Any:
    """The body, or None when it is not JSON: the API refuses it in its own words."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None
