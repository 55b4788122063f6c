"""What of a stricter portion shows below a tear-line."""

from typing import Any

import pytest

from agencies.observables import Observable, observables_in
from agencies.tearline import PLACE_BLUR_M, slips
from schemas.report import Indicator, Observed, Passage, Place, PortionContent


def portion(text: str, **fields: Any) -> PortionContent:
    return PortionContent("EXERCISE", "A", (Passage(None, text),), **fields)


def found(above: str | PortionContent, below: str | PortionContent, *allowed: str) -> list[tuple[str, str]]:
    upper, lower = (item if isinstance(item, PortionContent) else portion(item) for item in (above, below))
    return [(slip.kind, slip.below) for slip in slips([upper], lower, allowed=allowed)]


def test_what_stands_alone_shows_nothing() -> None:
    assert [] == found("The caller PELANGI was heard at 03:10.", "Expect trouble in the eastbound lane.")


@pytest.mark.parametrize(
    ("above", "below", "kind", "as_below"),
    [
        ("Seen at 203.0.113.77 today.", "Block 203[.]0[.]113[.]77.", "indicator", "203.0.113.77"),
        ("Seen at 203.0.113.77 today.", "Block 203.0.113.9.", "indicator", "203.0.113.9"),
        ("It calls evil.example.co.th.", "hxxp://www.evil.example.co[.]th/a", "indicator", "www.evil.example.co.th"),
        ("From boss@evil.example.org.", "evil(dot)example(dot)org", "indicator", "evil.example.org"),
        ("d41d8cd98f00b204e9800998ecf8427e", "hash d41d8cd98f…", "indicator", "d41d8cd98f"),
        ("By CVE-2026-12345.", "cve-2026-12345 is open", "indicator", "cve-2026-12345"),
        ("A caller named PELANGI spoke.", "Beware of pelangi.", "name", "pelangi"),
        ("They meet Rashid there.", "A man, rashid, was seen.", "name", "rashid"),
        ("Batch K-114 was bad.", "Return k-114.", "name", "k-114"),
        ("About 1,400 crates.", "Some 1400 crates", "number", "1400"),
        ("Four men came.", "We saw 4 men.", "number", "4"),
        ("At 03:10 sharp.", "It was 03:10.", "number", "03:10"),
        ("They hide under the third bridge there.", "hidden, under the third bridge there", "phrase",
         "under the third bridge there"),
        ("He used a jerrycan.", "Two jerrycans.", "word", "jerrycans"),
    ],
)  # fmt: skip
def test_what_shows_is_named_by_its_kind(above: str, below: str, kind: str, as_below: str) -> None:
    assert (kind, as_below) in found(above, below)


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("Two men came.", "There are two ships."),  # a small number means what it counts
        ("Seen at 203.0.113.77.", "Seen at 198.51.100.77."),
        ("From evil.example.org.", "From good.example.net."),
        ("EXERCISE. The report said so.", "EXERCISE. The report said more."),
        ("It is 1.2.3 of it.", "It is 1.2.4 of it."),
        ("He came in 2026.", "The number is deadbeef."),
    ],
)
def test_what_is_in_every_report_does_not_show(above: str, below: str) -> None:
    assert [] == found(above, below)


def test_what_is_meant_to_be_told_is_left_out_and_what_goes_beyond_it_is_not() -> None:
    above, below = (
        "Four men board in the eastbound lane; PELANGI calls.",
        "Four men in the eastbound lane, says Pelangi.",
    )

    assert [] == found(above, below, "four men", "in the eastbound lane", "Pelangi")
    assert [("name", "Pelangi")] == found(above, below, "four men in the eastbound lane")


def test_an_indicator_is_meant_only_as_a_whole() -> None:
    """An allowed word must not let an address pass that happens to contain it."""
    assert [("indicator", "evil.example.org")] == found("evil.example.org", "evil.example.org", "evil", "example")
    assert [] == found("evil.example.org", "evil.example.org", "evil.example.org")


def place(latitude: int, longitude: int, radius_m: int = 0) -> Place:
    return Place("", latitude, longitude, "exact", radius_m)


@pytest.mark.parametrize(
    ("below", "shows"),
    [
        (place(1_200_000, 103_800_000), True),
        (place(1_250_000, 103_850_000), True),  # 7.9 km away
        (place(1_250_000, 103_850_000, PLACE_BLUR_M), False),
        (place(1_900_000, 103_800_000), False),
    ],
)
def test_a_place_shows_unless_it_is_told_as_coarsely_as_a_lane(below: Place, *, shows: bool) -> None:
    above = portion("Here.", places=(place(1_200_000, 103_800_000),))
    assert shows == bool(found(above, portion("There.", places=(below,))))


def test_a_time_shows_unless_it_is_estimated() -> None:
    above = portion("Here.", observed=Observed(1_000_000_000, None, "exact"))
    near = Observed(1_000_000_000 + 600_000, None, "exact")

    assert [("time", str(near.begin))] == found(above, portion("There.", observed=near))
    assert [] == found(above, portion("There.", observed=near._replace(quality="estimated")))
    assert [] == found(above, portion("There.", observed=near._replace(begin=near.begin + 3_600_000)))


def test_listed_indicators_and_place_names_are_looked_at_on_both_sides() -> None:
    above = portion(
        "Here.",
        indicators=(Indicator("ipv4-addr", "203.0.113.77"), Indicator("vessel-name", "KENANGA MAS")),
        places=(Place("Pulau Tinggi", 0, 0, "exact"),),
    )
    below = portion("By Kenanga Mas off Tinggi.", indicators=(Indicator("url", "hxxp://203.0.113.77/x"),))

    assert [("indicator", "203.0.113.77"), ("name", "Kenanga"), ("name", "Mas"), ("name", "Tinggi")] == found(
        above, below
    )


def test_each_slip_is_told_once_and_the_most_telling_first() -> None:
    above = "PELANGI at 203.0.113.77 told of a jerrycan."
    below = "A jerrycan. Pelangi, pelangi, and 203.0.113.77, 203.0.113.77."

    assert ["indicator", "name", "name", "word"] == [kind for kind, _ in found(above, below)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("999.1.1.1 and 1.2.3.4.5 are none", []),
        ("1.2.3.4.", ["1.2.3.4"]),
        ("a [.] b is none, a[.]com is", ["a.com"]),
        ("12345678 is a number, 1234567a is not", ["1234567a"]),
    ],
)
def test_observables_are_read_as_analysts_write_them(text: str, values: list[str]) -> None:
    assert values == [item.value for item in observables_in(text)]


def test_observables_of_two_kinds_have_nothing_in_common() -> None:
    assert Observable("hash", "1.2.3.4", "").kinship(Observable("address", "1.2.3.4", "")) is None
