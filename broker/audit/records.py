"""Which leaves a record becomes: the router writes records, and each of them is told of in the log.

Decisions on a portion are records, and decisions for a reader are leaves: a leaf may be shown to the agency that it
tells of, and must not tell of another.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from broker.audit.leaves import (
    AdmittedLeaf,
    CancelledLeaf,
    DecidedLeaf,
    DeliveredLeaf,
    Leaf,
    LetGoLeaf,
    OverriddenLeaf,
    RecalledLeaf,
    RefusedLeaf,
    RefusedPair,
    ReleasedLeaf,
)
from broker.state import Admitted
from schemas.codec import unpack
from schemas.limits import FRAME_BYTES_MAX

Record = tuple[str, bytes | None, str, bytes]
"""Stage, message, agency, packed body: as ``broker.store`` writes it."""


def leaves_of_admission(admitted: Admitted, *, at: int) -> Iterator[Leaf]:
    """Return the leaves of an accepted release: its own, that of what it recalls, and one for each reader."""
    hid, originator = admitted.hid, admitted.originator
    if admitted.re_release:
        yield ReleasedLeaf("released", at, hid, originator, admitted.wraps_hash)
    else:
        yield AdmittedLeaf("admitted", at, hid, originator, admitted.kind, admitted.ref, admitted.wraps_hash)
    if admitted.kind == "recall" and admitted.ref is not None:
        yield RecalledLeaf("recalled", at, admitted.ref, originator, hid)
    overridden = admitted.overridden
    if overridden is not None:
        readers = tuple(sorted(row.wrap.to for row in admitted.rows))
        yield OverriddenLeaf(
            "overridden", at, overridden.hid, overridden.originator, hid, originator, overridden.authority, readers
        )
    for proposal, permission in admitted.let_go:
        yield LetGoLeaf(
            "let_go", at, hid, originator, permission.reader, permission.bits, proposal, permission.mechanism,
            permission.begin - 1,
        )  # fmt: skip
    for row in admitted.rows:
        yield DecidedLeaf("decided", at, hid, row.wrap.to, originator, row.wrap.bits)


def leaves_of_records(records: Sequence[Record], *, at: int) -> Iterator[Leaf]:
    """Return the leaves of records that are no admission: refusals, deliveries and cancellations."""
    for stage, hid, agency, body in records:
        match stage, hid:
            case "refused", _:
                code, _, refusals = _read(body)
                pairs = tuple(RefusedPair(*item[:3]) for item in refusals)
                yield RefusedLeaf("refused", at, hid, agency, code, pairs)
            case "delivered", bytes():
                yield DeliveredLeaf("delivered", at, hid, agency, _read(body))
            case "cancelled", bytes():
                yield CancelledLeaf("cancelled", at, hid, agency)
            case _:
                pass  # admissions have their own way; bundles are found in their table


def _read(body: bytes) -> Any:
    return unpack(body, bytes_max=FRAME_BYTES_MAX)
