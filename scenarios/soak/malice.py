"""What a lying router is up to at this moment, and the account of what it has done: deeds that somebody must notice.

Kept apart from its many lives: a lie once told is told again after a restart, or the router would catch itself out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import TypeVar

from scenarios.soak.hostility import Drop, Replay, RouterHostility, SplitView
from schemas.envelope import Wrap
from schemas.frames import VerdictMessage

T = TypeVar("T", bound=RouterHostility)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done; ``reader`` is whom it was done to, ``hid`` in hex and empty where there is none."""

    kind: str
    hid: str
    reader: str
    at_ms: int = field(compare=False)


@dataclass(slots=True)
class Malice:
    """The router's plan and its memory.

    Attributes:
        acts: What it does, from the plan.
        chance: Its own stream.
        now_ms: Virtual time.
        saw: Counts what was done.
        deeds: What was done, each once.
        cuts: What became of a cut, by message, wraps and reader; None where it was left as it was.
        hidden: The readers of a release that were left out, by message and wraps.
        verdicts: The lies told of a release, by message and wraps.
        wraps: What was delivered: by release and reader, the message and the wrap; for deliveries to come.
        done: What is done but once.
        told: Verdicts as they were signed, by author: for giving one that is another's.
        misrouted: What was given to whom it is not for: release, reader and stranger.
        without: The leaf that a second tree leaves out.
        shown: What each agency that is shown the second tree keeps of the log: its size.
        wanted: From which other sizes such an agency has asked for a proof, until it is shown them.
        offered: The leaf that was left out of what an agency was shown last.
        believed: The same of what it has cosigned.
        last_cut: Of any message, to take parts from.
        months_passed: Whether all that was delivered has long expired.
    """

    acts: Sequence[RouterHostility]
    chance: Random
    now_ms: Callable[[], int]
    saw: Callable[[str], None]
    deeds: dict[Deed, None] = field(default_factory=dict)
    cuts: dict[tuple[bytes, bytes, str], bytes | None] = field(default_factory=dict)
    hidden: dict[tuple[bytes, bytes], frozenset[str]] = field(default_factory=dict)
    verdicts: dict[tuple[bytes, bytes], VerdictMessage | None] = field(default_factory=dict)
    wraps: dict[tuple[int, str], tuple[bytes, Wrap]] = field(default_factory=dict)
    told: dict[str, VerdictMessage] = field(default_factory=dict)
    done: set[RouterHostility] = field(default_factory=set)
    misrouted: set[tuple[int, str, str]] = field(default_factory=set)
    without: dict[SplitView, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, list[int]] = field(default_factory=dict)
    offered: dict[str, int] = field(default_factory=dict)
    believed: dict[str, int] = field(default_factory=dict)
    last_cut: bytes = b""
    months_passed: bool = False
    _began_ms: int | None = None

    def begin(self) -> None:
        """Count the plan's times from now."""
        self._began_ms = self.now_ms()

    def under_way(self, kind: type[T]) -> list[T]:
        """Return what it is up to of one kind."""
        if self._began_ms is None:
            return []
        since_ms = self.now_ms() - self._began_ms
        return [
            act
            for act in self.acts
            if isinstance(act, kind) and act.at_ms <= since_ms < act.at_ms + getattr(act, "lasts_ms", 10**12)
        ]

    def drops(self, reader: str, how: str) -> bool:
        """Tell whether what is for this reader is dropped now, in this way."""
        return any(act.how == how and act.reader in {None, reader} for act in self.under_way(Drop))

    def replays_due(self) -> list[Replay]:
        """Return the replays that are due, each once."""
        due = [act for act in self.under_way(Replay) if act not in self.done and act.months <= self.months_passed]
        self.done.update(due)
        return due

    def did(self, kind: str, hid: bytes, reader: str) -> None:
        """Note a deed."""
        deed = Deed(kind, hid.hex(), reader, self.now_ms())
        if deed not in self.deeds:
            self.deeds[deed] = None
            self.saw(f"evil {kind}")
