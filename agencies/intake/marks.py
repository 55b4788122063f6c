"""The mark of one thing in a file, before it becomes a label: what joins with what, and what is tighter than what.

Joining only ever narrows: "TLP and PAP are never downgraded by re-marking" (docs/spec/need-to-know.md, H11), and
"markings of the same object" are not ranked by STIX ("this specification does not define rules for how multiple
markings applied to the same object or property should be interpreted" -- STIX 2.1, 7.2), so the tightest holds.
"""

from dataclasses import dataclass, replace
from typing import Final

from agencies.intake.shapes import IntakeDefaults
from policy.caveats import PAP_ORDER
from schemas.label import TLP_ORDER, Label, Tlp

_TLP_RANK: Final = {None: -1} | {tlp: rank for rank, tlp in enumerate(TLP_ORDER)}
_PAP_RANK: Final = {None: -1} | {colour: rank for rank, colour in enumerate(PAP_ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a file says about who may have something.

    Attributes:
        tlp: The TLP given, or None where none is.
        floor: The widest TLP that something else than a TLP marking allows; it narrows, and never grants.
        pap: The PAP colour given, or None.
        rel: Who may have it, or None where that is not restricted; empty means nobody else.
        caveats: Further caveats of the label.
        statements: Handling text that restricts nothing by itself.
    """

    tlp: Tlp | None = None
    floor: Tlp = "CLEAR"
    pap: str | None = None
    rel: frozenset[str] | None = None
    caveats: frozenset[str] = frozenset()
    statements: frozenset[str] = frozenset()

    def joined(self, other: "Mark") -> "Mark":
        """Return the mark of what bears both."""
        if other == _NOTHING:
            return self
        rel = self.rel if other.rel is None else other.rel if self.rel is None else self.rel & other.rel
        return Mark(
            tlp=max(self.tlp, other.tlp, key=_TLP_RANK.__getitem__),
            floor=max(self.floor, other.floor, key=_TLP_RANK.__getitem__),
            pap=max(self.pap, other.pap, key=_PAP_RANK.__getitem__),
            rel=rel,
            caveats=self.caveats | other.caveats,
            statements=self.statements | other.statements,
        )

    def settled(self, default: Tlp) -> "Mark":
        """Fill in the node's default where no TLP is given, and apply the floor."""
        if self.tlp is not None and self.floor == "CLEAR":
            return self
        tlp = max(self.tlp or default, self.floor, key=_TLP_RANK.__getitem__)
        return replace(self, tlp=tlp, floor="CLEAR")

    def bare(self) -> "Mark":
        """Return the restrictions alone, without handling text."""
        return replace(self, statements=frozenset()) if self.statements else self

    def covers(self, other: "Mark") -> bool:
        """Tell whether all who may have this may have ``other`` too; both settled."""
        return self.bare() == self.bare().joined(other.bare())

    @property
    def rank(self) -> tuple[int, int, int]:
        """For sorting, tightest last."""
        return (_TLP_RANK[self.tlp], self.rel is not None, len(self.caveats))


_NOTHING: Final = Mark()


def label_of(mark: Mark, *, topic: str, defaults: IntakeDefaults) -> Label:
    """Return the label of a settled mark."""
    caveats = set(mark.caveats)
    if mark.pap is not None:
        caveats.add(f"PAP:{mark.pap}")
    # An empty REL TO means "not restricted", so whoever may release to nobody else names itself.
    rel = () if mark.rel is None else tuple(sorted(mark.rel | {defaults.originator}))
    return Label(
        tlp=mark.tlp or defaults.tlp,
        level=defaults.level,
        topic=topic,
        rel=rel,
        caveats=tuple(sorted(caveats)),
        affected=tuple(sorted(set(defaults.affected))),
    )
