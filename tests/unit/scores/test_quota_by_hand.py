"""The quota of a route and of a location, entry by entry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spotlake.scores.quota import LocationUse, QuotaRules, RouteUse, choose_subscriptions, rest_end

NOW = 1_800_000_000
AT = datetime.fromtimestamp(NOW, UTC)
RULES = QuotaRules(calls=10, window_seconds=3720)
# Calls of the moment before the window, of its first moment, of now, and of a slot to come.
USE = RouteUse(entries=((NOW - 3720, 1), (NOW - 3719, 2), (NOW, 3), (NOW + 60, 1)))


@pytest.mark.parametrize(
    ("calls", "minutes", "share", "rules"),
    [
        (10, 62, 0, QuotaRules(calls=10, window_seconds=3720)),
        (10, 62, 100, QuotaRules(calls=10, window_seconds=3720)),
        (10, 60, 1, QuotaRules(calls=1, window_seconds=3600)),
        (10, 1, 99, QuotaRules(calls=9, window_seconds=60)),
        (500, 62, 0, QuotaRules(calls=500, window_seconds=3720)),
        (200, 62, 1, QuotaRules(calls=2, window_seconds=3720)),
    ],
)
def test_rules_follow_the_settings(calls: int, minutes: int, share: int, rules: QuotaRules) -> None:
    assert QuotaRules.of(quota_calls=calls, window_minutes=minutes, share_percent=share) == rules
    if share == 0:
        assert QuotaRules.of(quota_calls=calls, window_minutes=minutes) == rules


@pytest.mark.parametrize(("window", "usable"), [(3720, 105), (3645, 30), (3646, 31), (60, 30), (7200, 3585)])
def test_a_reservation_is_used_within_what_the_window_has_more_than_azures_hour(window: int, usable: int) -> None:
    assert QuotaRules(calls=1, window_seconds=window).usable_seconds == usable


def test_what_is_free_is_the_quota_less_what_counts() -> None:
    assert USE.free(AT, RULES) == 4
    assert USE.free(AT - timedelta(seconds=1), RULES) == 3  # the first entry still counts
    assert USE.free(AT, QuotaRules(calls=5, window_seconds=3720)) == 0
    assert RouteUse(rest_until=NOW + 1).free(AT, RULES) == 0
    assert RouteUse(rest_until=NOW).free(AT, RULES) == 10
    assert USE.free(AT + timedelta(microseconds=999_999), RULES) == 4  # whole seconds count


def test_a_reservation_adds_to_the_entry_of_its_second_and_drops_what_is_over() -> None:
    resting = RouteUse(entries=USE.entries, rest_until=NOW - 5)
    assert resting.reserve(AT, 4, RULES) == RouteUse(
        entries=((NOW - 3719, 2), (NOW, 7), (NOW + 60, 1)), rest_until=NOW - 5
    )
    assert RouteUse().reserve(AT, 1, RULES) == RouteUse(entries=((NOW, 1),))
    assert USE.counting(AT, RULES) == RouteUse(entries=USE.entries[1:])
    for calls in (5, 0, -1):
        with pytest.raises(ValueError, match=f"^cannot reserve {calls} calls of 4$"):
            USE.reserve(AT, calls, RULES)


def test_calls_that_were_not_sent_are_given_back_to_their_own_entry() -> None:
    assert USE.give_back(AT, 1).entries == ((NOW - 3720, 1), (NOW - 3719, 2), (NOW, 2), (NOW + 60, 1))
    assert USE.give_back(AT, 3).entries == ((NOW - 3720, 1), (NOW - 3719, 2), (NOW + 60, 1))
    assert USE.give_back(AT, 9).entries == USE.give_back(AT, 3).entries
    assert USE.give_back(AT + timedelta(seconds=1), 3) == USE


def test_a_rest_is_never_shortened() -> None:
    resting = RouteUse(entries=USE.entries, rest_until=NOW)
    assert resting.rest(AT + timedelta(seconds=9)) == RouteUse(entries=USE.entries, rest_until=NOW + 9)
    assert resting.rest(AT - timedelta(seconds=9)) == resting
    assert rest_end(AT, RULES) == AT + timedelta(seconds=3720)


OLDER = RouteUse(entries=((NOW - 10, 2),), rest_until=NOW - 1)


def test_a_route_has_what_older_versions_wrote_too() -> None:
    use = LocationUse(routes={"a": USE, "b": RouteUse(rest_until=NOW)}, older={"a": OLDER, "b": OLDER, "c": OLDER})
    assert use.route("a") == RouteUse(
        entries=((NOW - 3720, 1), (NOW - 3719, 2), (NOW - 10, 2), (NOW, 3), (NOW + 60, 1)), rest_until=NOW - 1
    )
    assert use.route("b") == RouteUse(entries=OLDER.entries, rest_until=NOW)
    assert use.route("c") == OLDER
    assert use.route("d") == RouteUse()


def test_a_location_reserves_of_some_routes_and_forgets_what_is_over_of_all() -> None:
    over = RouteUse(entries=((NOW - 3720, 4),))
    use = LocationUse(
        routes={"a": USE, "b": over, "c": RouteUse(rest_until=NOW + 1), "d": RouteUse(rest_until=NOW), "e": USE},
        version=7,
        older={"f": OLDER},
    )
    found = use.reserve({"a": 4, "g": 10, "f": 8}, AT, RULES)
    kept = RouteUse(entries=USE.entries[1:])
    assert found == LocationUse(
        routes={
            "a": RouteUse(entries=((NOW - 3719, 2), (NOW, 7), (NOW + 60, 1))),
            "c": RouteUse(rest_until=NOW + 1),
            "e": kept,
            "g": RouteUse(entries=((NOW, 10),)),
            "f": RouteUse(entries=((NOW, 8),)),
        },
        version=8,
        older={"f": OLDER},
    )
    for digest, calls, free in (("a", 5, 4), ("c", 1, 0), ("f", 9, 8), ("g", 11, 10)):
        with pytest.raises(ValueError, match=f"^cannot reserve {calls} calls of {free}$"):
            use.reserve({digest: calls}, AT, RULES)


def test_a_change_of_one_route_leaves_the_others() -> None:
    use = LocationUse(routes={"a": USE}, version=7, older={"f": OLDER})
    assert use.change("b", OLDER) == LocationUse(routes={"a": USE, "b": OLDER}, version=8, older={"f": OLDER})
    assert use.change("a", OLDER).routes == {"a": OLDER}


@pytest.mark.parametrize(
    ("routes", "ends"),
    [
        ({}, 1),  # nothing counts
        ({"a": RouteUse()}, 1),
        ({"a": USE}, NOW + 60 + 3721),
        ({"a": USE, "b": RouteUse(entries=((NOW + 61, 1),))}, NOW + 61 + 3721),
        ({"a": RouteUse(rest_until=NOW + 9_000), "b": RouteUse(rest_until=NOW)}, NOW + 9_001),
        ({"a": RouteUse(entries=((NOW, 1),), rest_until=NOW + 3_720)}, NOW + 3_721),
        ({"a": RouteUse(rest_until=NOW)}, NOW + 1),
    ],
)
def test_an_item_ends_a_second_after_the_last_of_it_counted(routes: dict[str, RouteUse], ends: int) -> None:
    assert LocationUse(routes=routes).expires_at(RULES) == ends


@pytest.mark.parametrize(
    ("free", "wanted", "chosen"),
    [
        ({"a": 3, "b": 10, "c": 4, "d": 10}, 13, [("b", 10), ("a", 3)]),
        ({"a": 3, "b": 10, "c": 4, "d": 10}, 14, [("b", 10), ("c", 4)]),
        ({"a": 3, "b": 10, "c": 4, "d": 10}, 99, [("b", 10), ("d", 10), ("c", 4), ("a", 3)]),
        ({"a": 3, "b": 3}, 3, [("a", 3)]),
        ({"a": 4, "b": 3}, 2, [("b", 2)]),
        ({"a": 1, "b": 1}, 1, [("a", 1)]),
        ({"a": 0, "b": 0}, 1, []),
        ({"a": 2}, 0, []),
        ({"a": 2}, -1, []),
        ({}, 5, []),
        ({"a": 1}, 5, [("a", 1)]),
    ],
)
def test_as_few_routes_as_possible_are_chosen(free: dict[str, int], wanted: int, chosen: list[tuple[str, int]]) -> None:
    given = dict(free)
    assert choose_subscriptions(free, wanted) == chosen
    assert free == given
