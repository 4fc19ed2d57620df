"""Names of the price list, word by word: products, meters, sizes, and samples of what no rule knows."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from spotlake.azure import price_names
from spotlake.azure.price_names import (
    Meter,
    Product,
    ProductName,
    letter_of_family,
    read_meter,
    read_product,
    without_windows,
    words_of,
    words_of_kind,
)
from spotlake.azure.price_samples import keep_sample
from tests.unit.usecases.rows import spot


def test_words_are_separated_by_more_than_blanks() -> None:
    assert words_of(" A-b_c/d,(E)\tF  ") == ("a", "b", "c", "d", "e", "f")
    assert words_of("") == ()


def linux(family: str, extra_words: int) -> ProductName:
    return ProductName(Product.LINUX, family, extra_words)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Virtual Machines Dsv5 Series", linux("dsv5", 0)),
        ("Virtual Machines Dsv5 Srs", linux("dsv5", 0)),
        ("Dsv5 Series", linux("dsv5", 2)),
        ("Virtual Machines Dsv5", linux("dsv5", 1)),
        ("Virtual Machines Dsv5 Series Linux", linux("dsv5", 1)),
        ("Virtual Machines A Series Basic", linux("a", 1)),
        ("Virtual Machines A Series Basic Linux", linux("a", 2)),
        ("Virtual Machines Msv3 Medium Memory Series", linux("msv3", 2)),
        ("Virtual Machines Msv2 High Mem Series", linux("msv2", 2)),
        ("Virtual Machines Mdsv3 Very High Memory Series", linux("mdsv3", 3)),
        ("Virtual Machines NDMI300Xv5 Series", linux("ndmi300xv5", 0)),
        ("Virtual Machines HBrsv2 Series", linux("hbrsv2", 0)),
        ("Virtual Machines Dsv2 Promo Series", ProductName(Product.PROMO, "dsv2", 1)),
        ("Virtual Machines Dsv2 Series Promo", ProductName(Product.PROMO, "dsv2", 1)),
        ("Virtual Machines Dsv2 Series Linux Promo", ProductName(Product.PROMO, "dsv2", 2)),
        ("Dsv3 Series CloudServices", ProductName(Product.CLOUD_SERVICES, rejected="cloud_services")),
        ("Dsv3 Series Cloud Services Windows", ProductName(Product.CLOUD_SERVICES, rejected="cloud_services")),
        ("Dsv3 Series DedicatedHost", ProductName(Product.DEDICATED_HOST, rejected="dedicated_host")),
        ("Virtual Machines Dsv3 Series Windows", ProductName(Product.WINDOWS, rejected="windows")),
        ("Virtual Machines Dsv3 Srs Win", ProductName(Product.WINDOWS, rejected="windows")),
        ("Virtual Machines Dsv3 SeriesWindows", ProductName(Product.WINDOWS, rejected="windows")),
        *[
            (name, ProductName(Product.UNKNOWN))
            for name in (
                "", "Dsv5", "Virtual Machines", "Virtual Machines Series", "Virtual Machines Dsv5 Series Series",
                "Virtual Machines Dsv5 Batch Series", "Virtual Machines Dsv5 Series Ubuntu", "Storage Series Linux 2",
                "Virtual Machines Dsv5 Series Basic Basic",
            )
        ],
    ],
)  # fmt: skip
def test_a_product_is_a_machines_only_if_every_word_is_known(name: str, read: ProductName) -> None:
    assert read_product(name) == read
    # A reading of a long name is not kept, and is the same.
    assert read_product(name + " " * 101) == read_product(name.upper() + " ") == read


@pytest.mark.parametrize(
    ("sku", "meter", "size", "kind"),
    [
        ("D2s v3", "D2s v3", "Standard_D2s_v3", Meter.PLAIN),
        ("D2s v3 Spot", "D2s v3 Spot", "Standard_D2s_v3", Meter.SPOT),
        ("D2s v3 Low Priority", "D2s v3 Low Priority", "Standard_D2s_v3", Meter.LOW_PRIORITY),
        ("Standard_D2s_v3 Spot", "D2s v3 Spot", "Standard_D2s_v3", Meter.SPOT),
        ("D2s v3 Spot", "D2s v3", "Standard_D2s_v3", Meter.SPOT),
        ("D2s v3", "D2s v3 Low Priority", "Standard_D2s_v3", Meter.LOW_PRIORITY),
        ("D2s v3 Spot", "D2s v3 Low Priority", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 Spot", "D2s v3 Spot Expired", "Standard_D2s_v3", Meter.EXPIRED),
        ("D2s v3 Spot", "D2s v3 - Expired", "Standard_D2s_v3", Meter.EXPIRED),
        ("D2s v3", "D2s v3 - Expired", "Standard_D2s_v3", Meter.EXPIRED),
        ("D2s v3 Low Priority", "D2s v3 - Expired", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 Low Priority Expired", "D2s v3 Low Priority Expired", "Standard_D2s_v3", Meter.EXPIRED),
        ("D2s v3 Spot Plus", "D2s v3 Spot Plus", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D14 v2/DS14 v2 Spot", "D14 v2/DS14 v2 Spot", "Standard_DS14_v2", Meter.SPOT),
        ("D2s v3 Spot2", "D2s v3 Spot2", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 Priority2", "D2s v3 Priority2", "Standard_D2s_v3", Meter.UNKNOWN),
        ("Spot", "Spot", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 2spo t3", "D2s v3 2spo t3", "Standard_D2s_v3", Meter.UNKNOWN),  # "spot" over two words
        ("", "", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 Spot D4s", "D2s v3 Spot D4s", "Standard_D2s_v3", Meter.UNKNOWN),
        ("D2s v3 Spot Standard", "D2s v3 Spot", "Standard_D2s_v3", Meter.UNKNOWN),
        ("Basic A1", "Standard A1 Spot", "Basic_A1", Meter.SPOT),
        ("Basic A1", "Basic A1 Spot", "Standard_A1", Meter.SPOT),
        ("D2 flex", "D2 flex Spot", "Standard_D2_flex", Meter.SPOT),
        ("D2s v3 Spot", "D2s v3 Spot", " Standard_D2s_v3 ", Meter.SPOT),
        ("Slow2", "Slow2 Low Priority", "Standard_Slow2", Meter.LOW_PRIORITY),
        ("D2 Spot", "D2 Spot", "Standard_D2_Spot", Meter.UNKNOWN),  # a word of a kind is one of the size
        ("D2 PRIORITY", "D2 PRIORITY", "Standard_D2_PRIORITY", Meter.UNKNOWN),
    ],
)
def test_a_meter_is_of_the_kind_that_its_words_after_the_size_say(sku: str, meter: str, size: str, kind: Meter) -> None:
    assert read_meter(sku, meter, size) is kind
    assert read_meter(meter, sku, size) is kind
    assert read_meter(sku, meter, size + " " * 101) is kind
    assert read_meter(sku + " ", meter + "  ", size) is kind  # not among the usual names


def test_usual_names_are_known_without_a_look_at_their_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region has 15,000 rows, and nearly all have a usual name."""
    monkeypatch.setattr(price_names, "_kind_of", None)
    for suffix, kind in (("", Meter.PLAIN), (" Spot", Meter.SPOT), (" Low Priority", Meter.LOW_PRIORITY)):
        for sku, meter in itertools.product(("E8-4as v5", "Standard_E8-4as_v5"), repeat=2):
            assert read_meter(sku + suffix, meter + suffix, " Standard_E8-4as_v5 ") is kind


@pytest.mark.parametrize(
    ("size", "letter"),
    [
        ("standard_d2s_v5", "d"),
        ("basic_a0", "a"),
        ("standard_nc4as_t4_v3", "n"),
        ("standard_e8-4ds_v5", "e"),
        ("premium_d2", None),
        ("standard_dsv3_type1", None),
        ("standard_d2_type1", None),
        ("standard_d2-type 1", None),
        ("d2s_v5", None),
        ("standard_2", None),
        ("standard_abcde2", None),
        ("standard_d2" + "x" * 60, "d"),
        ("standard_d2" + "x" * 61, None),
        ("", None),
    ],
)
def test_the_letter_of_a_size(size: str, letter: str | None) -> None:
    assert letter_of_family(size) == letter


def test_what_makes_a_kind_unknown_is_told_without_the_size() -> None:
    plain, size = "Virtual Machines Easv5 Series", "Standard_E4as_v5"
    assert words_of_kind(plain, "E4as v5 Spot Plus", "E4as v5", size) == "plus spot"
    assert words_of_kind(plain, "E4as v5", "E4as v5 Zonal", size) == "zonal"
    assert words_of_kind(plain, "E4as v5 Spot2 x9", "E4as v5", size) == ""
    assert words_of_kind(plain, "E4as v5 Extra Spot2 x9", "E4as v5", size) == "extra spot2"
    assert words_of_kind("Virtual Machines Easv5 Batch Series Linux Basic", "E4as v5", "E4as v5", size) == "batch"
    assert words_of_kind("Odd Srs Standard 7", "E4as v5", "E4as v5", size) == "odd"
    assert words_of_kind("Virtual Machines Easv5 Batch Series", "E4as v5 Plus", "E4as v5", size) == "batch plus"


def test_the_linux_product_beside_a_windows_one() -> None:
    assert without_windows("Virtual Machines Easv5 Series Windows") == "Virtual Machines Easv5 Series "
    assert without_windows("Easv5 Srs Win") == "Easv5 Srs "
    assert without_windows("Easv5 SeriesWINDOWS") == "Easv5 Series"
    assert without_windows("Winter Series") == "Winter Series"


def sampled(*rows: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for row in rows:
        keep_sample(kept, row)
    return kept


def odd(word: str, **changes: Any) -> dict[str, Any]:
    return spot(meterName=f"D2s v3 {word}", skuName=f"D2s v3 {word}", **changes)


def test_of_each_kind_the_first_row_is_kept_whatever_the_order() -> None:
    first, second = odd("plus", armSkuName="Standard_A"), odd("plus", armSkuName="Standard_B")
    assert sampled(first, second) == sampled(second, first) == sampled(first)
    assert sampled(first)["plus"]["armSkuName"] == "Standard_A"


def test_five_kinds_are_the_most_the_first_of_their_words() -> None:
    words = ["echo", "alpha", "foxtrot", "delta", "bravo", "charlie"]
    for rows in (words, words[::-1], sorted(words)):
        assert set(sampled(*map(odd, rows))) == {"alpha", "bravo", "charlie", "delta", "echo"}


def test_a_sample_is_short_and_printable_and_numbers_stay_numbers() -> None:
    row = odd("plus", productName="Virtual\x1b " + "x" * 100, retailPrice=0.5, armSkuName=None, type="Savings")
    ((kind, kept),) = sampled(row).items()
    assert (kept["kind"], kept["retailPrice"], kept["armSkuName"]) == (kind, 0.5, None)
    assert (kept["productName"], kept["meterName"]) == ("Virtual  " + "x" * 71, "D2s v3 plus")  # 80 characters
    assert sampled(odd("plus", retailPrice=True))["plus"]["retailPrice"] == "True"
    assert sampled(odd("plus", retailPrice=7))["plus"]["retailPrice"] == 7
    assert sampled(odd("plus", retailPrice=["x"]))["plus"]["retailPrice"] == "['x']"
    assert list(sampled(spot(type="Savings"))) == ["Savings spot"]
    assert list(sampled(spot(type="Savings", meterName="D2s v3", skuName="D2s v3"))) == ["Savings"]
