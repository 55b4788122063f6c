"""What does it cost to seal a report for 1, 10, 60 and 500 readers, and to open one copy? In Ed25519 verifies.

Sealing is all of it: the models made and strictly checked, packed, sealed, wrapped for everybody, signed. Opening is
everything that a reader's core does with the bytes: read, author, disclosures, times, unwrap, open, strict content.
``judge`` adds what a node's core does beside: sequence, references, and policy as of then and now.
"""

from collections.abc import Callable

from agencies.state import Accepted
from bench.measure import Effort, interleave, read_arguments, report, report_costs
from bench.stage import NOW_MS, NothingSeen, Ready, make_ready
from broker.cuts import Cutter, Release
from schemas.codec import pack
from schemas.report import PortionContent
from sealing.entropy import SystemEntropy
from sealing.opening import OpenedPortion, my_wrap, open_portions, unwrap
from sealing.received import check_author, check_disclosures, check_times, read_envelope

_SEAL_60_MAX = 14.0
_OPEN_MAX = 2.5


def cut_for(envelope: bytes, reader: str) -> bytes:
    """Return one reader's cut of an envelope, as the router makes it."""
    received = read_envelope(envelope)
    cutter = Cutter(
        Release(
            header=received.envelope.header,
            wraps_hash=received.envelope.wraps_hash,
            signature=received.envelope.signature,
            cosignatures=received.envelope.cosignatures,
            disclosures={item.place: item.received for item in received.portions},
            blobs={item.place: item.blob for item in received.portions if item.blob is not None},
        )
    )
    return cutter.cut(my_wrap(received, me=reader))


def opener(ready: Ready, cut: bytes, reader: str) -> Callable[[], tuple[OpenedPortion, ...]]:
    """Return what opens a cut as a reader's core does, policy aside."""
    core = ready.node(reader)
    author = ready.author

    def open_cut() -> tuple[OpenedPortion, ...]:
        received = read_envelope(cut)
        check_author(received, signers=core.signers, arrived_at=NOW_MS)
        check_disclosures(received, every_place=False)
        check_times(received.header, now_ms=NOW_MS)
        wrap = my_wrap(received, me=reader)
        theirs = core.boxes.at_epoch(author, wrap.from_epoch, now_ms=NOW_MS)
        mine = core.keys.at_epoch(wrap.to_epoch)
        keys = unwrap(received, wrap, pair_key=core.pairs.from_originator(mine, author, theirs))
        return open_portions(received, keys)

    return open_cut


def judger(ready: Ready, cut: bytes, reader: str) -> Callable[[], Accepted]:
    """Return what judges a cut as a node does, with a memory that has met nothing."""
    core, state = ready.node(reader), NothingSeen()

    def judge() -> Accepted:
        judged = core.judge(cut, now_ms=NOW_MS, state=state)
        assert isinstance(judged, Accepted)
        return judged

    return judge


def _sealer(ready: Ready, count: int) -> Callable[[], bytes]:
    releaser = ready.releaser(count)
    return lambda: releaser.release(ready.seal_report())


def main(effort: Effort) -> None:
    counts = (1, 10) if effort.quick else (1, 10, 60, 500)
    ready = make_ready(counts[-1] + 1, SystemEntropy())
    envelope = ready.releaser(counts[-1]).release(ready.seal_report())
    reader = ready.stage.agencies[1]
    cut = cut_for(envelope, reader)
    opened = opener(ready, cut, reader)()
    plain = sum(len(pack(item.content)) for item in opened if isinstance(item.content, PortionContent))
    report(effort, "seal_open", "sizes", content_bytes=plain, envelope_bytes=len(envelope), cut_bytes=len(cut))
    cases: dict[str, Callable[[], object]] = {f"seal-{count}": _sealer(ready, count) for count in counts}
    cases["open"] = opener(ready, cut, reader)
    cases["judge"] = judger(ready, cut, reader)
    targets = {"seal-60": _SEAL_60_MAX, "open": _OPEN_MAX}
    report_costs(effort, "seal_open", interleave(cases, effort), **targets)


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
