"""What must hold before any recipient is tested: a label that is known in every word, and rules to decide by.

"Unknown is never 'no restriction'" (docs/spec/need-to-know.md, "The decision"): a level, compartment, agreement,
caveat or name that the bundle does not define refuses everybody, the originator included.
"""

from collections.abc import Iterator

from policy.caveats import MEMBERS_FIRST, NAMED, RESIDENCY, read_caveat
from policy.community import Community
from policy.directory import is_active
from policy.verdict import Reason
from schemas.codec import read_shape
from schemas.errors import RemoteError
from schemas.label import Label


def is_well_made(label: Label) -> bool:
    """Tell whether a label is of its shape: words of the grammar, every list sorted and unique."""
    try:
        read_shape(Label, label)
    except RemoteError:
        return False
    return True


def unknown_words(label: Label, community: Community) -> Iterator[str]:
    """Yield each word of a well-made label that the bundle does not define."""
    if label.level not in community.level_rank:
        yield f"level {label.level}"
    yield from (f"compartment {word}" for word in label.compartments if word not in community.compartments)
    yield from (f"mechanism {word}" for word in label.mechanisms if not community.knows_mechanism(word))
    for subject in (*label.rel, *label.exclude):
        if community.expand((subject,)) is None:
            yield f"subject {subject}"
    for word in label.caveats:
        caveat = read_caveat(word)
        if (
            caveat is None
            or (caveat.name == NAMED and community.position(caveat.operand) is None)
            or (caveat.name == RESIDENCY and caveat.operand not in community.with_state)
            or (caveat.name == MEMBERS_FIRST and not community.knows_mechanism(caveat.operand))
        ):
            yield f"caveat {word}"


def check_label(label: Label, community: Community) -> Iterator[Reason]:
    """Test what is the same for every recipient; nothing follows the first test that fails."""
    if not is_well_made(label):
        yield Reason(rule="NTK-LABEL", passed=False, text="the label is malformed", cites="H12")
        return
    yield Reason(rule="NTK-LABEL", passed=True, text="the label is well made", cites="H12")
    unknown = tuple(unknown_words(label, community))
    if unknown:
        text = f"the bundle does not know {', '.join(unknown)}"
        yield Reason(rule="NTK-UNKNOWN", passed=False, text=text, cites="H12", wanted=unknown)
        return
    yield Reason(rule="NTK-UNKNOWN", passed=True, text="the bundle knows every word of the label", cites="H12")
    if not community.rules:
        text = "the bundle has no rule, and an empty rule set refuses"
        yield Reason(rule="NTK-NO-RULES", passed=False, text=text, cites="H6")


def check_party(rule: str, what: str, agency_id: str, *, at_ms: int, community: Community) -> Reason:
    """Test that a party is known, active, and has a key that is good at that time."""
    agency = community.agency(agency_id)
    if agency is None:
        # The id is not repeated: it may be anything, and a reason is read by people.
        return Reason(rule=rule, passed=False, text=f"the bundle does not know the {what}", cites="H18")
    if agency.status != "active":
        text = f"the {what} {agency.agency} is {agency.status}"
        return Reason(rule=rule, passed=False, text=text, cites="H18", wanted=("active",), held=(agency.status,))
    if not is_active(agency, at_ms):
        text = f"the {what} {agency.agency} has no key that is good at {at_ms}"
        return Reason(rule=rule, passed=False, text=text, cites="H18")
    return Reason(rule=rule, passed=True, text=f"the {what} {agency.agency} takes part", cites="H18")
