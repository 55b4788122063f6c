"""What every act of a person's desk needs: once alone, what is held, what is quoted, why it was done.

Each kind of act is written on this (console/desk_work.py, console/desk_question_work.py).
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from agencies.drafts import Quote, Why
from agencies.node import Node
from agencies.outgoing import Released
from agencies.state import HeldMessage
from console.desk_acts import Act, act_name
from console.report_file import WrittenReport, read_report
from schemas.errors import SealError
from schemas.report import Parent, Portion, PortionContent
from transport.clock import Clock

T = TypeVar("T")


class OnDisk(Protocol):
    """Runs a call where the node's database is used."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """Return what the call returns."""
        ...


@dataclass(slots=True)
class Carried:
    """What an act has brought about: the messages, who got them, and the rule by each agency that got nothing."""

    hids: list[str] = field(default_factory=list)
    audience: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, released: Released) -> None:
        """Add a release."""
        if released.hid is not None and released.hid.hex() not in self.hids:
            self.hids.append(released.hid.hex())
        self.audience |= released.audience
        self.left_out |= released.left_out


@dataclass(slots=True)
class Quoted:
    """Portions of others that are taken over, and what the node's pre-flight asks about them."""

    portions: list[Portion] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)


class DeskHands:
    """What every act works with.

    Args:
        node: The agency's node.
        on_disk: Runs a call where the node's database is used.
        clock: The time that is signed and judged by.
        is_done: Whether the record has a release with this cause already.
    """

    def __init__(self, *, node: Node, on_disk: OnDisk, clock: Clock, is_done: Callable[[str], bool]) -> None:
        self.node = node
        self.on_disk = on_disk
        self.clock = clock
        self.is_done = is_done

    async def once(self, cause: str, carried: Carried, send: Callable[[], Awaitable[Released]]) -> None:
        """Make a release, unless the record has one with this cause."""
        if not self.is_done(cause):
            carried.add(await send())

    async def with_quoted(
        self, own: Iterable[Portion], include: Iterable[bytes]
    ) -> tuple[tuple[Portion, ...], tuple[Quote, ...]]:
        """Put the portions of messages that are held beside what was written here."""
        portions, quotes = [*own], []
        for hid in include:
            quoted = await self.quoted(hid, 0)
            portions += quoted.portions
            quotes += quoted.quotes
        return tuple(portions), tuple(quotes)

    async def quoted(self, hid: bytes, bits: int) -> "Quoted":
        """Take over the portions of a message that is held, each with the label of its originator and its parent."""
        held = await self.held(hid)
        found, now_ms = Quoted(), self.clock.now_ms()
        over = await self.on_disk(
            lambda: self.node.store.consent.over_bits(
                hid, originator=held.originator, reader=self.node.agency, now_ms=now_ms
            )
        )
        wanted = (bits or ~0) & ~over
        for item in await self.node.portions(hid):
            if isinstance(item.content, PortionContent) and wanted >> item.place & 1:
                content = item.content._replace(derived_from=(Parent(hid, item.commitment),))
                found.portions.append(Portion(item.label, content))
                found.quotes.append(
                    Quote(
                        hid=hid, place=item.place, originator=held.originator, label=item.label,
                        commitment=item.commitment,
                    )
                )  # fmt: skip
        if not found.portions:
            msg = f"nothing of {short(hid)} that was asked for is held here"
            raise SealError(msg, remedy="'read' shows what is held of it, place by place")
        return found

    async def held(self, hid: bytes) -> HeldMessage:
        """Return a message of the inbox.

        Raises:
            SealError: If it is not there, or was recalled.
        """
        held = await self.on_disk(lambda: self.node.store.held(hid))
        if held is None or held.recalled:
            msg = f"{short(hid)} is not held here, or was recalled"
            raise SealError(msg, remedy="'inbox' lists what is held")
        return held

    def read(self, name: str, text: str) -> WrittenReport:
        """Read a report file by the bundle in force now; raises as ``read_report``."""
        community = self.node.core.community
        return read_report(text.encode(), name, community=community, now_ms=self.clock.now_ms())

    def after(self, span_ms: int | None) -> int | None:
        """Return the time that is so long from now, Unix ms; None stays None."""
        return None if span_ms is None else self.clock.now_ms() + span_ms


def why_of(act: Act, cause: str) -> Why:
    """Return why an act is done, so that the record has it once."""
    reason = str(getattr(act, "reason", ""))
    return Why(
        act=act_name(act), order="desk", reason=reason or f"the desk hands over {act_name(act)}", cause=cause, once=True
    )


def short(hid: bytes) -> str:
    """Return as much of an id as people read."""
    return hid.hex()[:12]
