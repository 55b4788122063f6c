"""What does a report cost the router, for 1 to 500 readers? In Ed25519 verifies.

``admit`` is the whole decision: read, signatures, every disclosure and decoy, policy for each portion and reader, the
signed verdict. Its memory has met nothing. ``cut`` is what one reader's copy costs after that.
"""

from collections.abc import Callable

from bench.measure import Effort, interleave, read_arguments, report_costs
from bench.seal_open import cut_for
from bench.stage import NOW_MS, NothingSeen, Ready, make_ready
from broker.cuts import Cutter, Release
from broker.state import Admitted
from sealing.entropy import SystemEntropy
from sealing.opening import my_wrap
from sealing.received import read_envelope

_ADMIT_60_MAX = 5.0


def _admitter(ready: Ready, count: int) -> Callable[[], Admitted]:
    envelope = ready.releaser(count).release(ready.seal_report())
    state = NothingSeen()

    def admit() -> Admitted:
        decided = ready.router.admit(envelope, sender=ready.author, now_ms=NOW_MS, state=state)
        assert isinstance(decided, Admitted)
        return decided

    return admit


def _cutter(ready: Ready) -> Callable[[], bytes]:
    envelope = ready.releaser(2).release(ready.seal_report())
    received = read_envelope(envelope)
    reader = ready.stage.agencies[1]
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
    wrap = my_wrap(received, me=reader)
    assert cutter.cut(wrap) == cut_for(envelope, reader)
    return lambda: cutter.cut(wrap)


def main(effort: Effort) -> None:
    counts = (1, 10) if effort.quick else (1, 10, 60, 500)
    ready = make_ready(counts[-1] + 1, SystemEntropy())
    cases: dict[str, Callable[[], object]] = {f"admit-{count}": _admitter(ready, count) for count in counts}
    cases["cut"] = _cutter(ready)
    report_costs(effort, "router", interleave(cases, effort), **{"admit-60": _ADMIT_60_MAX})


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
