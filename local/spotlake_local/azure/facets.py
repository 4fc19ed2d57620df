"""Facets of a Resource Graph query: how often each value of a column stands in its output (pure).

Shapes: the specification of ``Microsoft.ResourceGraph`` 2024-04-01 (FacetRequest, FacetResult, FacetError); the
default of ten values is from memory. A facet's own ``filter`` is not simulated: it gets a FacetError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

_SHOWN, _MOST = 10, 1000


def facets_of(asked: object, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to a request's ``facets``, in their order.

    >>> facets_of([{"expression": "location"}], [{"location": "eastus"}])[0]["data"]
    [{'location': 'eastus', 'count': 1}]
    """
    return [_facet(one if isinstance(one, dict) else {}, rows) for one in (asked if isinstance(asked, list) else [])]


def _facet(asked: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    expression = str(asked.get("expression", ""))
    given = asked.get("options")
    options: dict[str, Any] = given if isinstance(given, dict) else {}
    columns = [name.strip() for name in expression.split(",")]
    top, order, by = options.get("$top", _SHOWN), str(options.get("sortOrder", "desc")), options.get("sortBy", "count")
    if options.get("filter"):
        return _error(expression, "filter")
    if any(name not in row for row in rows[:1] for name in columns) or by not in ("count", *columns):
        return _error(expression, "column")
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= _MOST:
        return _error(expression, "$top")
    counts = Counter(tuple(str(row[name]) for name in columns) for row in rows)
    data: list[dict[str, Any]] = [
        {**dict(zip(columns, values, strict=True)), "count": number} for values, number in sorted(counts.items())
    ]
    data.sort(key=lambda one: one[by], reverse=order.lower() == "desc")
    return {
        "expression": expression,
        "resultType": "FacetResult",
        "totalRecords": len(data),
        "count": len(data[:top]),
        "data": data[:top],
    }


def _error(expression: str, what: str) -> dict[str, Any]:
    error = {"code": "InvalidFacet", "message": f"The facet's {what} is not valid."}
    return {"expression": expression, "resultType": "FacetError", "errors": [error]}
