from __future__ import annotations

from spotlake.sizes.geography import KNOWN, Geography, geography_of
from spotlake_local.azure.world import World


def test_the_table_has_every_region_of_the_captured_list() -> None:
    assert {code: KNOWN[code] for code in World().regions} == {
        code: (region.geography, region.geography_group) for code, region in World().regions.items()
    }


def test_some_regions_by_hand() -> None:
    assert geography_of("koreacentral") == ("Korea", "Asia Pacific")
    assert geography_of("UK South") == ("United Kingdom", "UK")
    assert geography_of("mexicocentral") == ("Mexico", "Mexico")
    assert geography_of("northeurope") == ("Europe", "Europe")
    assert geography_of("swedensouth") == ("Sweden", "Europe")
    assert geography_of("eastus9") is None


def test_what_a_subscription_lists_goes_before_the_table() -> None:
    listed = {"eastus9": Geography("United States", "US"), "uksouth": Geography("United Kingdom", "Europe")}
    assert geography_of("eastus9", listed) == ("United States", "US")
    assert geography_of("uksouth", listed) == ("United Kingdom", "Europe")
