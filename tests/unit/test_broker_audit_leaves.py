"""Leaves: what they may say, one spelling, and that nobody confirms a guess without the key."""

import pytest

from broker.audit.leaves import (
    STATEMENT_BYTES_MAX,
    AdmittedLeaf,
    BundleLeaf,
    CancelledLeaf,
    DecidedLeaf,
    DeliveredLeaf,
    Leaf,
    OverriddenLeaf,
    RecalledLeaf,
    RefusedLeaf,
    RefusedPair,
    ReleasedLeaf,
    RevokedLeaf,
    leaf_key,
    message_key,
    open_entry,
    party_key,
    read_statement,
    write_entry,
    write_statement,
)
from schemas.codec import pack
from schemas.errors import LogError, LogFault
from schemas.limits import WRAPS_MAX

SECRET = bytes(range(32))
HID, OTHER, WRAPS = b"h" * 32, b"o" * 32, b"w" * 32
AT = 1_700_000_000_000
LEAVES: tuple[Leaf, ...] = (
    AdmittedLeaf("admitted", AT, HID, "mys-cert", "report", None, WRAPS),
    ReleasedLeaf("released", AT, HID, "mys-cert", WRAPS),
    DecidedLeaf("decided", AT, HID, "sgp-cert", "mys-cert", 0b101),
    RefusedLeaf("refused", AT, None, "mys-cert", "TRUNCATED", ()),
    RefusedLeaf("refused", AT, HID, "mys-cert", "AUDIENCE", (RefusedPair(0, "sgp-cert", "NTK-LEVEL"),)),
    DeliveredLeaf("delivered", AT, HID, "sgp-cert", 17),
    RecalledLeaf("recalled", AT, HID, "mys-cert", OTHER),
    CancelledLeaf("cancelled", AT, HID, "sgp-cert"),
    RevokedLeaf("revoked", AT, "sgp-cert", 4),
    BundleLeaf("bundle", AT, 4, OTHER),
    OverriddenLeaf("overridden", AT, HID, "mys-cert", OTHER, "sgp-cert", "life-safety.sar", ("mys-cert", "sgp-sar")),
)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.stage)
def test_a_statement_comes_back_as_it_was_written(leaf: Leaf) -> None:
    key = leaf_key(SECRET, leaf)
    statement = write_statement(leaf)
    entry = write_entry(5, statement, key=key)

    assert leaf == read_statement(statement)
    assert type(leaf) is type(open_entry(entry, number=5, statement=statement, key=key))
    assert 36 == len(entry)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.stage)
def test_a_leaf_that_was_bent_or_moved_does_not_open(leaf: Leaf) -> None:
    key = leaf_key(SECRET, leaf)
    statement = write_statement(leaf)
    entry = write_entry(5, statement, key=key)
    later = write_statement(leaf._replace(at=AT + 1))
    for number, said, opened_with in ((6, statement, key), (5, later, key), (5, statement, bytes(32))):
        with pytest.raises(LogError) as caught:
            open_entry(entry, number=number, statement=said, key=opened_with)
        assert LogFault.PROOF == caught.value.fault


def test_the_key_of_one_party_opens_no_other_leaf_of_the_message() -> None:
    """A reader that could open the leaves of others would learn who else received."""
    of_message = message_key(SECRET, HID)
    mine = party_key(of_message, "sgp-cert")
    guess = write_statement(DecidedLeaf("decided", AT, HID, "tha-cert", "mys-cert", 1))
    entry = write_entry(9, guess, key=leaf_key(SECRET, read_statement(guess)))

    assert mine == leaf_key(SECRET, LEAVES[2])
    for key in (mine, of_message, bytes(32)):
        with pytest.raises(LogError):
            open_entry(entry, number=9, statement=guess, key=key)


def test_an_author_can_open_every_leaf_of_its_own_message() -> None:
    of_message = message_key(SECRET, HID)
    for leaf in LEAVES:
        if isinstance(leaf, DecidedLeaf | DeliveredLeaf | CancelledLeaf):
            assert leaf_key(SECRET, leaf) == party_key(of_message, leaf.reader)
        elif isinstance(leaf, AdmittedLeaf | ReleasedLeaf | RecalledLeaf | OverriddenLeaf):
            assert leaf_key(SECRET, leaf) == party_key(of_message, leaf.originator)


def test_equal_statements_have_different_leaves() -> None:
    """Or a log would tell that the same thing has happened twice."""
    key = leaf_key(SECRET, LEAVES[5])
    statement = write_statement(LEAVES[5])

    assert write_entry(1, statement, key=key) != write_entry(2, statement, key=key)


@pytest.mark.parametrize(
    "value",
    [
        (),
        (1, AT, HID),
        ("noticed", AT, HID, "sgp-cert"),
        ("cancelled", AT, HID),
        ("cancelled", AT, HID, "sgp-cert", 1),
        ("cancelled", AT, HID[:-1], "sgp-cert"),
        ("cancelled", -1, HID, "sgp-cert"),
        ("cancelled", AT, HID, "Not An Id"),
        ("decided", AT, HID, "sgp-cert", "mys-cert", 2**32),
        ("cancelled", True, HID, "sgp-cert"),
        "cancelled",
    ],
    ids=str,
)  # fmt: skip
def test_another_shape_is_refused(value: object) -> None:
    with pytest.raises(LogError) as caught:
        read_statement(pack(value))

    assert LogFault.MALFORMED == caught.value.fault


def test_another_spelling_is_refused() -> None:
    statement = write_statement(LEAVES[8])
    for bent in (statement + b"\xc0", statement[:-1], b"", statement.replace(b"\x04", b"\xcc\x04")):
        with pytest.raises(LogError):
            read_statement(bent)


def test_a_statement_fits_its_frame() -> None:
    """The longest that there is names 64 refused pairs; nothing that we write comes near the bound."""
    pair = RefusedPair(31, "a" * 32, "R" * 64)
    longest = RefusedLeaf("refused", AT, HID, "a" * 32, "C" * 64, (pair,) * 64)
    assert len(write_statement(longest)) < STATEMENT_BYTES_MAX // 8

    with pytest.raises(LogError) as caught:
        write_statement(longest._replace(refusals=(pair,) * WRAPS_MAX))
    assert LogFault.MALFORMED == caught.value.fault
