"""The parts of a plan: all that can be taken out of it, or made smaller, without moving the rest."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from scenarios.soak.plan import Plan

# Faults before work: what is tried first to be left out is what a reader of the plan would rather not have to read.
_FIELDS: Final = ("faults", "hostility", "rotations", "recalls", "again", "revocations", "workflow", "messages")


class Part(NamedTuple):
    """One thing that is done or goes wrong, and in which list of the plan it stands."""

    field: str
    item: BaseModel

    @property
    def kind(self) -> str:
        """What kind of thing it is: the kind of a fault, or ``revocation``, ``message`` and so on."""
        kind = getattr(self.item, "kind", None)
        return str(kind) if kind is not None else type(self.item).__name__.lower()

    def value(self, name: str) -> Any:
        """Return one of its fields, or None if it has none of this name."""
        return getattr(self.item, name, None)

    def changed(self, **fields: object) -> "Part":
        """Return it with other values; what is no such part any more is refused.

        Raises:
            ValidationError: If it cannot have these values.
        """
        values = self.item.model_dump() | fields
        return Part(self.field, type(self.item).model_validate(values))


def parts_of(plan: Plan) -> list[Part]:
    """Return all parts of a plan."""
    return [Part(name, item) for name in _FIELDS for item in getattr(plan, name)]


def with_parts(plan: Plan, parts: Sequence[Part]) -> Plan:
    """Return the plan with these parts instead of its own."""
    lists = {name: tuple(part.item for part in parts if part.field == name) for name in _FIELDS}
    return plan.model_copy(update=lists)
