"""A bundle compiled once, to decide by: the directory as bit sets, and the rules."""

from typing import Final, Self

from policy.community_rules import CompiledRule, compile_rules
from policy.consistency import check_bundle
from policy.directory import Directory
from policy.recent import Recent
from schemas.bundle import Bundle
from schemas.label import Label

# One entry is a label's key and a bit set, about 1 KiB; an exercise uses a few hundred labels.
_AUDIENCES_MAX: Final = 4_096

AudienceKey = tuple[Label, str, int, bool]


class Community(Directory):
    """The community in one version of its bundle."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.rules: tuple[CompiledRule, ...] = compile_rules(self)
        self.audiences: Recent[AudienceKey, int] = Recent(entries_max=_AUDIENCES_MAX)

    @classmethod
    def compile(cls, bundle: Bundle) -> Self:
        """Check a bundle and make it ready to decide by.

        Raises:
            InputError: If the bundle does not hold together.
        """
        check_bundle(bundle)
        return cls(bundle)
