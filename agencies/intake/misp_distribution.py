"""MISP's distribution levels as pieces of a label (MISP core format, "distribution"; MISP book, "Sharing").

MISP says to which *servers and organisations* something goes, a label who *may have* it. Distribution therefore only
narrows; it never widens what a TLP tag or the node's default says.

| distribution             | widest TLP   | REL TO         | caveat      | why                                         |
|--------------------------|--------------|----------------|-------------|---------------------------------------------|
| 0 your organisation only | AMBER+STRICT | the originator |             | nobody else may have it: it never leaves    |
| 1 this community only    | GREEN        |                | NO-PARTNERS | the agencies are the community, dialogue    |
|                          |              |                |             | partners are outside it; never public       |
| 2 connected communities  | GREEN        |                |             | one hop beyond the community; never public  |
| 3 all communities        |              |                |             | says nothing: TLP or the default decides    |
| 4 sharing group          | GREEN        | its members    |             | the named organisations; never public       |
| 5 inherit                |              |                |             | attribute from object, object from event    |

An attribute is never wider than its object, nor that than its event: MISP shows it to those alone who see all three.
"""

from collections.abc import Mapping
from typing import Any, Final

from agencies.intake.marks import Mark
from agencies.intake.shapes import Findings, IntakeDefaults
from policy.caveats import NO_PARTNERS
from schemas.errors import MarkingError

_BY_LEVEL: Final[Mapping[int, Mark]] = {
    1: Mark(floor="GREEN", caveats=frozenset({NO_PARTNERS})),
    2: Mark(floor="GREEN"),
    3: Mark(),
    5: Mark(),
}
_DIGITS_MAX: Final = 18  # MISP's numbers are ids and Unix seconds; more digits are neither
_NAME_THE_GROUP: Final = (
    "Export the event with its sharing groups, or name the group and its members in the import's settings."
)


def read_integer(value: Any) -> int | None:
    """Read a MISP number, which is an integer or its digits in a string; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX
        else None
    )


class Distributions:
    """Reads the distribution of everything in one event."""

    def __init__(self, event: Mapping[str, Any], *, defaults: IntakeDefaults, findings: Findings) -> None:
        self._event = event
        self._defaults = defaults
        self._findings = findings

    def mark(self, holder: Mapping[str, Any], *, place: str, inherits: bool) -> Mark:
        """Return what the distribution of an event, object, attribute or event report adds to its mark.

        Args:
            holder: What bears the distribution.
            place: Where it stands.
            inherits: Whether it stands in something else whose distribution it may inherit.

        Raises:
            MarkingError: If the distribution is none of MISP's, or names a sharing group that is not known.
        """
        if "distribution" not in holder:
            return Mark()  # Feeds leave it out; then TLP or the node's default decides, as for level 3.
        level = read_integer(holder["distribution"])
        if level == 0:
            self._findings.add("distribution 0 (your organisation only): it will go to nobody else", place)
            return Mark(floor="AMBER+STRICT", rel=frozenset({self._defaults.originator}))
        if level == 4:  # noqa: PLR2004 - the level's number is its name in MISP
            return Mark(floor="GREEN", rel=self._members(holder, place=place))
        if level is not None and level in _BY_LEVEL and (inherits or level != 5):  # noqa: PLR2004 - as above
            return _BY_LEVEL[level]
        msg = f"{place}: the distribution is none that MISP has"
        raise MarkingError(msg, remedy="Set a distribution in MISP, and export the event again.")

    def _members(self, holder: Mapping[str, Any], *, place: str) -> frozenset[str]:
        """The agencies, states and groups that stand for a sharing group; those not known here are left out."""
        group = self._group(holder)
        keys = [group.get(name) for name in ("uuid", "id", "name")] + [holder.get("sharing_group_id")]
        for key in keys:
            subjects = self._defaults.sharing_groups.get(str(key)) if key is not None else None
            if subjects is not None:
                return frozenset(subjects)
        listed = group.get("SharingGroupOrg")
        if not isinstance(listed, list) or not listed:
            msg = f"{place}: goes to a sharing group whose organisations are not in the file"
            raise MarkingError(msg, remedy=_NAME_THE_GROUP)
        members = set()
        for organisation in (each.get("Organisation") for each in listed if isinstance(each, dict)):
            subject = self._subject(organisation) if isinstance(organisation, dict) else None
            if subject is None:
                # Leaving out narrows: the group is a list of who may have it, so this needs no refusal.
                self._findings.add("an organisation of a sharing group is not known here and gets nothing", place)
            else:
                members.add(subject)
        return frozenset(members)

    def _group(self, holder: Mapping[str, Any]) -> Mapping[str, Any]:
        """Find the group: with what it applies to, or with the event if that names the same one."""
        group = holder.get("SharingGroup")
        if isinstance(group, dict):
            return group
        inherited = self._event.get("SharingGroup")
        wanted = holder.get("sharing_group_id")
        if isinstance(inherited, dict) and wanted is not None and str(inherited.get("id")) == str(wanted):
            return inherited
        return {}

    def _subject(self, organisation: Mapping[str, Any]) -> str | None:
        for key in (organisation.get("uuid"), organisation.get("name")):
            if isinstance(key, str) and key in self._defaults.organisations:
                return self._defaults.organisations[key]
        return None


def read_sharing_groups(document: Any, *, name: str, organisations: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Read an export of MISP's sharing groups into the mapping that ``IntakeDefaults.sharing_groups`` takes.

    Args:
        document: The parsed JSON: a list of groups, or ``{"response": [...]}``.
        name: What the file is called.
        organisations: MISP organisation, by uuid or exact name, to subject.

    Returns:
        For the uuid (where it has one) and the id of each group, its members as far as ``organisations`` knows them.

    Raises:
        MarkingError: If it is no such export.
    """
    listed = document.get("response") if isinstance(document, dict) else document
    groups: dict[str, tuple[str, ...]] = {}
    for at, entry in enumerate(listed if isinstance(listed, list) else [None]):
        group = entry.get("SharingGroup") if isinstance(entry, dict) else None
        members = entry.get("SharingGroupOrg") if isinstance(entry, dict) else None
        if not isinstance(group, dict) or not isinstance(members, list):
            msg = f"{name}: [{at}]: not a sharing group of MISP with its organisations"
            raise MarkingError(msg, remedy="Export the sharing groups from MISP again (sharing_groups/index).")
        known = {
            organisations[key]
            for member in members
            if isinstance(member, dict) and isinstance(member.get("Organisation"), dict)
            for key in (member["Organisation"].get("uuid"), member["Organisation"].get("name"))
            if isinstance(key, str) and key in organisations
        }
        for key in (group.get("uuid"), group.get("id")):
            if isinstance(key, str) and key:
                groups[key] = tuple(sorted(known))
    return groups
