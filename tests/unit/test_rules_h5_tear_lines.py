"""H5: the releasable part of a tear-line stands alone and hints at nothing above it, in words or in bytes."""

from typing import Final

import pytest

from agencies.tearline import slips
from conformance import world
from schemas.codec import pack
from schemas.envelope import Header
from schemas.limits import LABELLED_PLACES_MIN, PORTION_PLACES
from schemas.report import Passage, PortionContent
from sealing.pairs import PairKeys
from sealing.received import read_envelope
from sealing.seal import Reader, SealedMessage, release, seal

ABOVE: Final = PortionContent(
    "EXERCISE", "Source", (Passage(None, "The caller PELANGI heard them buy fuel for 03:10 at jetty 14."),)
)
BELOW: Final = PortionContent("EXERCISE", "Warning", (Passage(None, "Expect a boarding in the eastbound lane."),))


def sealed(*contents: PortionContent) -> SealedMessage:
    """Seal the last portion for everybody and those before it above the line."""
    labels = [world.HIGH] * (len(contents) - 1) + [world.LABEL]
    return seal(
        [(label, pack(content)) for label, content in zip(labels, contents, strict=True)],
        kind="report", by=("alpha",), ts=world.NOW, exp=world.NOW + world.DAY_MS, bundle_version=world.BUNDLE_VERSION,
        entropy=world.ScriptedEntropy(f"tear-line of {len(contents)}"),
    )  # fmt: skip


def header(message: SealedMessage) -> Header:
    box = world.boxes().at_epoch("bravo", world.EPOCH, now_ms=world.NOW)
    reader = Reader(
        to="bravo", bits=message.bits([len(message.portions) - 1]), seq=1, from_epoch=world.EPOCH,
        to_epoch=world.EPOCH, pair_key=PairKeys("alpha").to_reader(world.box_pair("alpha"), "bravo", box),
    )  # fmt: skip
    return read_envelope(release(message, [reader], signer=world.sign_pair("alpha"))).header


def test_h5_what_stands_alone_has_nothing_of_what_stands_above() -> None:
    assert () == slips([ABOVE], BELOW)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Pelangi says that they come.", "name"),
        ("They come at 03:10.", "number"),
        ("They come from jetty 14.", "number"),
        ("They heard them buy fuel for it.", "phrase"),
    ],
)
def test_h5_what_shows_below_the_line_is_named(text: str, kind: str) -> None:
    found = slips([ABOVE], PortionContent("EXERCISE", "Warning", (Passage(None, text),)))

    assert kind in {slip.kind for slip in found}


@pytest.mark.parametrize("above", range(LABELLED_PLACES_MIN))
def test_h5_a_reader_below_the_line_sees_as_many_places_as_of_a_report_without_a_line(above: int) -> None:
    """Two commitments where one portion came would say that there is another."""
    assert len(header(sealed(BELOW)).por) == len(header(sealed(*[ABOVE] * above, BELOW)).por)


def test_h5_of_more_portions_than_a_report_shows_at_the_least_no_count_is_told_but_the_next_step() -> None:
    counts = {len(header(sealed(*[ABOVE] * above, BELOW)).por) for above in range(LABELLED_PLACES_MIN, 8)}

    assert {PORTION_PLACES[PORTION_PLACES.index(LABELLED_PLACES_MIN) + 1]} == counts
