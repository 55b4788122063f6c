"""What does it cost to find a portion's audience among 10 to 1,000 agencies? In Ed25519 verifies.

``found`` is the first time a label is asked about, ``kept`` every later one, ``one-by-one`` the same answer by asking
``decide`` for each agency, and ``compile`` the making of the community, once for each version of the bundle.
"""

from collections.abc import Callable

from bench.measure import Effort, interleave, read_arguments, report_costs
from bench.stage import LABELS, NOW_MS, make_stage
from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.verdict import Action
from sealing.entropy import SystemEntropy

_LABEL = LABELS[0]  # the one with a compartment, an agreement, a group and a caveat


def _cases(count: int) -> dict[str, Callable[[], object]]:
    bundle = make_stage(count, SystemEntropy()).bundle
    community = Community.compile(bundle)
    originator = bundle.agencies[0].agency

    def kept() -> int:
        return audience_mask(_LABEL, originator=originator, at_ms=NOW_MS, community=community)

    def found() -> int:
        # A community is not told to forget; another empty memory in its place is the same to it.
        community.audiences = type(community.audiences)(entries_max=1)
        return kept()

    def one_by_one() -> int:
        mask = 0
        for position, agency in enumerate(bundle.agencies):
            verdict = decide(
                _LABEL,
                originator=originator,
                recipient=agency.agency,
                action=Action.RELEASE,
                at_ms=NOW_MS,
                community=community,
            )
            mask |= verdict.permit << position
        return mask

    assert kept() == found() == one_by_one()
    return {
        f"kept-{count}": kept,
        f"found-{count}": found,
        f"one-by-one-{count}": one_by_one,
        f"compile-{count}": lambda: Community.compile(bundle),
    }


def main(effort: Effort) -> None:
    for count in (10, 60) if effort.quick else (10, 60, 200, 1_000):
        report_costs(effort, "policy_audience", interleave(_cases(count), effort))


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
