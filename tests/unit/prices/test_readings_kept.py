"""What is kept of names that rows repeat changes no reading, and has a limit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spotlake.azure import price_names, price_rules
from spotlake.azure.price_names import Product, letter_of_family, read_meter, read_product
from spotlake.azure.price_rules import choose_prices
from tests.support.capture import REGIONS, captured_rows
from tests.unit.usecases.rows import REGION, spot


@pytest.fixture(autouse=True)
def _nothing_is_kept_yet() -> None:
    """Other tests of the same process may have filled what is kept, and a full one grows no more."""
    for kept in (price_names._known_product, price_names._usual_names, price_names._known_letter):
        kept.cache_clear()
    price_rules._short_moment.cache_clear()


@pytest.mark.parametrize("region", REGIONS)
def test_the_usual_names_of_a_size_are_read_as_the_words_say(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted({(row["skuName"], row["meterName"], row["armSkuName"]) for row in captured_rows(region)})
    by_usual_names = [read_meter(*one) for one in names]
    monkeypatch.setattr(price_names, "_usual_names", lambda instance_type: {})
    assert [read_meter(*one) for one in names] == by_usual_names
    assert len(set(by_usual_names)) > 2


@pytest.mark.parametrize(
    "names",
    [
        ("Spot v3", "Spot v3", "Standard_Spot_v3"),
        ("D2s lowpriority Low Priority", "D2s lowpriority Low Priority", "Standard_D2s_lowpriority"),
        ("D2s v3 Spot", "D2s v3 Low Priority", "Standard_D2s_v3"),
        ("D2s v3", "D2s v3 Spot", "Standard_D2s_v3"),
        ("D2s v3 Spot ", "D2s v3 Spot", " Standard_D2s_v3 "),
        ("standard_D2s_v3 spot", "D2s_v3 Spot", "standard_D2s_v3"),
        ("", "", "Standard_"),
        ("Standard_D2s_v3", "D2s v3", "Basic_D2s_v3"),
    ],
)
def test_odd_names_too(names: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    by_usual_names = read_meter(*names)
    monkeypatch.setattr(price_names, "_usual_names", lambda instance_type: {})
    assert read_meter(*names) is by_usual_names


def test_long_names_are_read_and_not_kept() -> None:
    kept = price_names._known_product, price_names._usual_names, price_names._known_letter
    before = [one.cache_info().currsize for one in kept]
    for number in range(50):
        assert read_product(f"Virtual Machines {'x' * 1000}{number} Series").kind is Product.UNKNOWN
        read_meter("D2s v3", "D2s v3", f"Standard_{'x' * 1000}{number}")
        assert letter_of_family(f"standard_d2{'x' * 1000}{number}") is None
    assert [one.cache_info().currsize for one in kept] == before


def test_the_moments_of_short_texts_are_kept() -> None:
    """As Azure could write them with nanoseconds, of 40 characters and of 41."""
    kept, at = price_rules._short_moment, "2026-06-01T00:00:00.12345678901+00:00:00"
    for text, number in ((at, 1), (at.replace("1+", "11+"), 0)):
        assert len(text) == 41 - number
        before = kept.cache_info().currsize
        found = choose_prices([spot(effectiveStartDate=text)], region=REGION, now_at=datetime(2026, 11, 23, tzinfo=UTC))
        assert len(found.spot) == 1
        assert kept.cache_info().currsize == before + number


def test_a_name_of_a_hundred_characters_is_kept() -> None:
    size, product = f"Standard_D2{'x' * 89}", f"Virtual Machines D{'x' * 82}"
    assert (len(size), len(product)) == (100, 100)
    kept = price_names._known_product, price_names._usual_names, price_names._known_letter
    before = [one.cache_info().currsize for one in kept]
    read_product(product)
    read_meter("D2s v3", "D2s v3", size)
    letter_of_family(size)
    assert [one.cache_info().currsize for one in kept] == [number + 1 for number in before]
