"""Affected-state control (H9): only the affected state asks for help, and whoever offers it answers.

A coordination whose label names affected states is about help for them. Its content is sealed, so router and nodes
judge it by the label alone, and all by this one test (docs/spec/envelope.md, "Help for an affected state").
"""

from collections.abc import Iterable

from policy.community import Community


def speaks_for(affected: tuple[str, ...], agencies: Iterable[str], community: Community) -> bool:
    """Tell whether a coordination about help has an affected state behind it.

    Args:
        affected: The states that its label names as affected.
        agencies: Its sender, and the originator of the coordination that it answers, if it answers one.
        community: Who is of which state.

    Returns:
        True where the label names no affected state, or one of the agencies is of a state that it names. An agency
        that is unknown, or of no state, speaks for none.
    """
    if not affected:
        return True
    known = (community.agency(agency) for agency in agencies)
    return any(agency is not None and agency.state in affected for agency in known)
