"""The routes of the simulated Azure, and a small control API under ``/_control``."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spotlake.models import from_iso, to_iso
from spotlake_local.azure.entra import Entra
from spotlake_local.azure.faults import DroppedConnectionError, Fault, Faults, after_answer, before_answer
from spotlake_local.azure.graph import QueryError, ResourceGraph, bad_query, throttled
from spotlake_local.azure.odata import FilterError, parse_filter
from spotlake_local.azure.placement import BadRequestError, PlacementScores, throttled_text
from spotlake_local.azure.retail_rows import PriceList
from spotlake_local.azure.world import World

RETAIL_PAGE = 1000
LONGEST_URL = 2048
SPS_VERSION, GRAPH_VERSION, LOCATIONS_VERSION = "2025-06-05", "2024-04-01", "2022-12-01"
RETAIL_VERSIONS = ("", "2021-10-01-preview", "2023-01-01-preview")
_CACHED_QUERIES = 24


@dataclass
class RetailBudget:
    """Requests per window of the retail prices API; 0 requests = no limit."""

    requests: int = 0
    window_seconds: float = 60.0
    headers: bool = True
    times: list[datetime] = field(default_factory=list)


class AzureSimulator:
    """All four APIs over one world and one clock."""

    def __init__(self, world: World, entra: Entra, subscriptions: list[str]) -> None:
        """The clock starts at the wall's time."""
        self.world, self.entra, self.subscriptions = world, entra, subscriptions
        self.placement = PlacementScores(world)
        self.graph = ResourceGraph(world)
        self.prices = PriceList(world)
        self.budget = RetailBudget()
        self.faults = Faults()
        self.no_role: set[str] = set()
        self.stats: Counter[str] = Counter()
        self.authority_url = ""
        self._offset = timedelta()
        self._queries: OrderedDict[tuple[str, str, str], list[dict[str, Any]]] = OrderedDict()

    def now(self) -> datetime:
        """The simulator's clock."""
        return datetime.now(UTC) + self._offset

    def set_clock(self, now_at: datetime) -> None:
        """Put the hands; the clock goes on at normal speed from there."""
        self._offset = now_at - datetime.now(UTC)

    # -- sign-in -------------------------------------------------------------------------------

    async def discovery(self, request: Request) -> Response:
        """OIDC discovery."""
        return _json(*self.entra.discovery(request.path_params["tenant"], self.authority_url))

    async def token(self, request: Request) -> Response:
        """Token endpoint."""
        fault = self.faults.find("token")
        if (answer := await before_answer(fault)) is not None:
            return answer
        self.stats["token"] += 1
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        return _json(*self.entra.token(form, self.now()))

    # -- ARM -----------------------------------------------------------------------------------

    def _arm_refusal(self, request: Request, version: str) -> Response | None:
        """What the ARM front door answers before the resource provider is asked."""
        refused = self.entra.refuse(request.headers.get("authorization", ""), self.now())
        if refused:
            headers = {"WWW-Authenticate": f'Bearer authorization_uri="{self.authority_url}"'}
            return _json(401, _arm_error(*refused), headers)
        if request.query_params.get("api-version") != version:
            found = request.query_params.get("api-version")
            return _json(400, _arm_error("InvalidApiVersionParameter", f"The api-version '{found}' is invalid. The "
                                         f"supported versions are '{version}'."))  # fmt: skip
        subscription = request.path_params.get("subscription")
        if subscription is not None and subscription not in self.subscriptions:
            text = f"The subscription '{subscription}' could not be found."
            return _json(404, _arm_error("SubscriptionNotFound", text))
        return None

    async def locations(self, request: Request) -> Response:
        """A subscription's locations, with its own zone numbers."""
        subscription = request.path_params["subscription"]
        fault = self.faults.find("locations", subscription=subscription)
        answer = await before_answer(fault) or self._arm_refusal(request, LOCATIONS_VERSION)
        if answer is not None:
            return answer
        self.stats["locations"] += 1
        listed = [self._location(subscription, code) for code in self.world.regions]
        return after_answer(fault, _json(200, {"value": listed}))

    def _location(self, subscription: str, code: str) -> dict[str, Any]:
        region = self.world.regions[code]
        location: dict[str, Any] = {
            "id": f"/subscriptions/{subscription}/locations/{code}",
            "name": code,
            "type": "Region",
            "displayName": region.display_name,
            "regionalDisplayName": region.display_name,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        numbers = self.world.zone_numbers(subscription, code)
        if numbers:
            location["availabilityZoneMappings"] = [
                {"logicalZone": number, "physicalZone": zone} for number, zone in numbers.items()
            ]
        return location

    async def scores(self, request: Request) -> Response:
        """Placement scores."""
        subscription, location = request.path_params["subscription"], request.path_params["location"]
        fault = self.faults.find("sps", location, subscription)
        answer = await before_answer(fault) or self._arm_refusal(request, SPS_VERSION)
        answer = answer or self._score_refusal(subscription, location)
        if answer is not None:
            self.stats[f"sps {answer.status_code}"] += 1
            return answer
        if not self.placement.quota.take(subscription, location, self.now()):
            self.stats["sps 429"] += 1
            headers = {"Retry-After": "3600"} if self.placement.quota.retry_after else {}
            return Response(throttled_text(), 429, headers, "text/plain")
        try:
            question = self.placement.check(orjson.loads(await request.body()))
        except (BadRequestError, ValueError) as error:
            self.stats["sps 400"] += 1
            body = error.body if isinstance(error, BadRequestError) else _arm_error("InvalidParameter", "not JSON")
            return _json(400, body)
        self.stats["sps 200"] += 1
        rows = [] if fault and fault.empty else self.placement.answer(question, subscription, self.now())
        echo = {
            "desiredLocations": question.regions,
            "desiredSizes": [{"sku": size} for size in question.sizes],
            "desiredCount": question.count,
            "availabilityZones": question.zonal,
        }
        return after_answer(fault, _json(200, {**echo, "placementScores": rows}))

    def _score_refusal(self, subscription: str, location: str) -> Response | None:
        if subscription in self.no_role:
            text = (
                "The client does not have authorization to perform action 'Microsoft.Compute/locations/placementScores/"
                f"generate/action' over scope '/subscriptions/{subscription}' or the scope is invalid."
            )
            return _json(403, _arm_error("AuthorizationFailed", text))
        if location not in self.world.regions:
            text = (
                f"No registered resource provider found for location '{location}' and API version '{SPS_VERSION}' for "
                f"type 'locations/placementScores'. The supported api-versions are '{SPS_VERSION}'. The supported "
                f"locations are ', {', '.join(self.world.regions)}'."
            )
            return _json(400, _arm_error("NoRegisteredProviderFound", text))
        return None

    async def resources(self, request: Request) -> Response:
        """Resource Graph."""
        fault = self.faults.find("graph")
        answer = await before_answer(fault) or self._arm_refusal(request, GRAPH_VERSION)
        if answer is not None:
            self.stats[f"graph {answer.status_code}"] += 1
            return answer
        # Real seconds: the window is five of them, and slots follow each other faster than that.
        allowed, left, over = self.graph.throttle.take(datetime.now(UTC))
        resets = f"00:00:{int(over) + 1:02d}"
        headers = {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": resets}
        if not allowed:
            self.stats["graph 429"] += 1
            return _json(429, throttled(self.now()), {**headers, "Retry-After": str(int(over) + 1)})
        try:
            page = self.graph.answer(orjson.loads(await request.body()), self.now())
        except (QueryError, ValueError, TypeError):
            self.stats["graph 400"] += 1
            return _json(400, bad_query(self.now()), headers)
        self.stats["graph 200"] += 1
        if fault and fault.empty:
            page = {"totalRecords": 0, "count": 0, "data": [], "facets": [], "resultTruncated": "false"}
        return after_answer(fault, _json(200, page, headers))

    # -- retail prices -------------------------------------------------------------------------

    async def retail(self, request: Request) -> Response:
        """Retail prices."""
        query = request.query_params
        text, version = query.get("$filter", ""), query.get("api-version", "")
        if len(str(request.url)) > LONGEST_URL:
            return Response("", 404)
        if version not in RETAIL_VERSIONS:
            return self._bad_retail_request("Unsupported API version")
        try:
            parsed = parse_filter(text, case_sensitive=version == RETAIL_VERSIONS[-1])
        except FilterError:
            return self._bad_retail_request("Invalid OData parameters supplied")
        fault = self.faults.find("retail", parsed.region or "")
        if (answer := await before_answer(fault)) is not None:
            self.stats[f"retail {answer.status_code}"] += 1
            return answer
        headers, refused = self._spend_budget()
        if refused:
            self.stats["retail 429"] += 1
            return Response(b"", 429, headers)
        self.stats["retail 200"] += 1
        rows = [] if fault and fault.empty else self._matching(text, version, parsed.region, parsed.test)
        skip = int(query.get("$skip", "0"))
        page = rows[skip : skip + RETAIL_PAGE]
        next_link = None
        if skip + RETAIL_PAGE < len(rows):
            base = f"http://{request.url.netloc}/api/retail/prices?$filter={quote(text)}"
            extra = f"&api-version={version}" if version else ""
            next_link = f"{base}&$skip={skip + RETAIL_PAGE}{extra}"
        body = {
            "BillingCurrency": "USD",
            "CustomerEntityId": "Default",
            "CustomerEntityType": "Retail",
            "Items": page,
            "NextPageLink": next_link,
            "Count": len(page),
        }
        return after_answer(fault, _json(200, body, headers))

    def _bad_retail_request(self, message: str) -> Response:
        self.stats["retail 400"] += 1
        return _json(400, {"Error": {"Code": "BadRequest", "Message": message}})

    def _matching(self, text: str, version: str, region: str | None, test: Any) -> list[dict[str, Any]]:
        """All rows of a query; the row at a page's end comes again on the next page."""
        now_at = self.now()
        key = (text, version, to_iso(now_at)[:16])
        if key not in self._queries:
            regions = [region] if region is not None else self.prices.regions()
            rows = [row for code in regions for row in self.prices.rows(code.lower(), now_at) if test(row)]
            for boundary in range(RETAIL_PAGE, len(rows) + 1, RETAIL_PAGE):
                rows.insert(boundary, rows[boundary - 1])
            self._queries[key] = rows
            if len(self._queries) > _CACHED_QUERIES:
                self._queries.popitem(last=False)
        return self._queries[key]

    def _spend_budget(self) -> tuple[dict[str, str], bool]:
        budget = self.budget
        if not budget.requests:
            return {}, False
        now_at = datetime.now(UTC)
        budget.times[:] = [at for at in budget.times if (now_at - at).total_seconds() < budget.window_seconds]
        refused = len(budget.times) >= budget.requests
        if not refused:
            budget.times.append(now_at)
        left = budget.requests - len(budget.times)
        headers = {"x-ms-ratelimit-remaining-retailPrices-requests": str(left)}
        if refused:
            headers["x-ms-ratelimit-retailPrices-retry-after"] = str(int(budget.window_seconds))
        return (headers if budget.headers else {}), refused

    # -- control -------------------------------------------------------------------------------

    async def control_clock(self, request: Request) -> Response:
        """``{"now": iso}``."""
        self.set_clock(from_iso((await request.json())["now"]))
        return _json(200, {"now": self.now().isoformat()})

    async def control_faults(self, request: Request) -> Response:
        """POST adds a rule, GET lists them, DELETE clears them."""
        if request.method == "DELETE":
            self.faults.rules.clear()
        elif request.method == "POST":
            try:
                self.faults.rules.append(Fault.from_dict(await request.json()))
            except (ValueError, TypeError) as error:
                return _json(400, {"error": str(error)})
        return _json(200, {"rules": [rule.to_dict() for rule in self.faults.rules]})

    async def control_options(self, request: Request) -> Response:
        """Numbers that tests turn, by name (``_options``); an unknown one is refused."""
        options = self._options()
        for name, value in (await request.json()).items():
            if name not in options:
                return _json(400, {"error": f"{name}: no such option; give {', '.join(options)}"})
            owner, attribute = options[name]
            # Lists arrive for what is a set here.
            setattr(owner, attribute, set(value) if isinstance(value, list) else value)
        return _json(200, {})

    def _options(self) -> dict[str, tuple[object, str]]:
        return {
            "quota_calls": (self.placement.quota, "calls"),
            "quota_retry_after": (self.placement.quota, "retry_after"),
            "token_lifetime_seconds": (self.entra, "lifetime_seconds"),
            "secret_expired": (self.entra, "secret_expired"),
            "graph_queries": (self.graph.throttle, "queries"),
            "retail_requests": (self.budget, "requests"),
            "retail_window_seconds": (self.budget, "window_seconds"),
            "retail_headers": (self.budget, "headers"),
            "no_role": (self, "no_role"),
            "invalid_regions": (self.placement, "invalid_regions"),
            "invalid_sizes": (self.placement, "invalid_sizes"),
        }

    async def control_stats(self, request: Request) -> Response:
        """What was answered, and calls that were answered more than once in a slot."""
        del request
        repeated = {asked: times for asked, times in self.placement.answered.items() if times > 1}
        used = {f"{pair[0]} {pair[1]}": len(times) for pair, times in self.placement.quota.history.items()}
        return _json(200, {"answers": dict(self.stats), "repeated_calls": repeated, "quota_used": used})

    async def control_reset(self, request: Request) -> Response:
        """Forget faults, counts and quota history; the clock stays."""
        del request
        self.faults.rules.clear()
        self.stats.clear()
        self.placement = PlacementScores(self.world)
        self.graph = ResourceGraph(self.world)
        self.budget = RetailBudget()
        self.no_role.clear()
        self.entra.secret_expired, self.entra.lifetime_seconds = False, 3599
        return _json(200, {})

    def app(self) -> Starlette:
        """The ASGI application."""
        arm = "/subscriptions/{subscription}"
        scores = arm + "/providers/Microsoft.Compute/locations/{location}/placementScores/spot/generate"
        app = Starlette(
            routes=[
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self.discovery),
                Route("/{tenant}/oauth2/v2.0/token", self.token, methods=["POST"]),
                Route(arm + "/locations", self.locations),
                Route(scores, self.scores, methods=["POST"]),
                Route("/providers/Microsoft.ResourceGraph/resources", self.resources, methods=["POST"]),
                Route("/api/retail/prices", self.retail),
                Route("/_control/clock", self.control_clock, methods=["POST"]),
                Route("/_control/faults", self.control_faults, methods=["GET", "POST", "DELETE"]),
                Route("/_control/options", self.control_options, methods=["POST"]),
                Route("/_control/stats", self.control_stats),
                Route("/_control/reset", self.control_reset, methods=["POST"]),
                Route("/_control/health", lambda _: _json(200, {})),
            ]
        )
        app.add_exception_handler(DroppedConnectionError, _drop)
        return app


async def _drop(request: Request, error: Exception) -> Response:
    """Close the connection: a response whose body never comes as announced."""
    del request, error
    return Response(b"", 200, {"Content-Length": "1000", "Connection": "close"})


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def _arm_error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
