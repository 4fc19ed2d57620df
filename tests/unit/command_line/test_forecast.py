"""What the quota gives, by hand-made catalogues whose calls can be counted on paper."""

from __future__ import annotations

from spotlake_local.forecast import forecast, proposals

# 16 regions with the same 100 sizes: two calls wide, twenty deep.
PAIRS = {f"region{number:02}": [f"Standard_D{size}_v5" for size in range(100)] for number in range(16)}


def test_all_fits_into_every_run() -> None:
    found = forecast(PAIRS, subscriptions=1, locations=25, quota_calls=10, window_minutes=62)
    assert (found.calls_a_window, found.needed, found.calls_a_run) == (250, 40, 40)
    assert found.sentences(1) == [
        "1 subscription: the quota gives 250 score calls in 62 minutes, 40 for each ten-minute run",
        "16 regions x 100 sizes need 40 calls for one desired count: every score in every run",
    ]


def test_a_short_quota_says_what_fits_and_how_long_all_of_it_takes() -> None:
    found = forecast(PAIRS, subscriptions=2, locations=1, quota_calls=10, window_minutes=60)
    assert (found.calls_a_window, found.calls_a_run) == (20, 3)
    assert found.hours == 2.0
    assert found.sentences(2)[1] == (
        "16 regions x 100 sizes need 40 calls for one desired count: about 16 regions x 5 sizes every run, all of them "
        "every 2.0 hours"
    )


def test_proposals_fit_into_every_run() -> None:
    pairs = {region: [*sizes, "Standard_E2s_v5", "Standard_E4s_v5"] for region, sizes in PAIRS.items()}
    found = forecast(pairs, subscriptions=1, locations=13, quota_calls=10, window_minutes=60)
    assert found.calls_a_run == 21
    eight = ",".join(sorted(pairs)[:8])
    assert proposals(pairs, found) == [
        f"--regions {eight} --instance-types 'Standard_D*' (20 calls a run)",
        "--instance-types 'Standard_E*' (2 calls a run)",
        f"--regions {eight} --instance-types 'Standard_D*_v5' (20 calls a run)",
    ]
