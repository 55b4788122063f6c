"""Desks of a world with a secret: nobody may act on it towards those who must not notice it.

People may tell what they know, and that is no fault of the machinery; so what is proved must not rest on what they
choose. Each desk has two minds. One never hears of the secret, and does the same in both worlds. The other hears of
it, and what that one does is as secret as its cause: it may go to anybody but an observer. EXCON hears of nothing
that comes of the secret.
"""

from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agencies.bots import Bot, PlannedAct, StandingOrder
from agencies.conditions import Sighting, TriggerWord
from agencies.incoming import Arrival
from agencies.node import Node
from agencies.notices import Notice
from agencies.outbox import ReaderDue
from scenarios.casting import cast_bot
from scenarios.clock import Due, ExerciseClock
from scenarios.desk import Desk
from scenarios.engine import Chances
from scenarios.model import Pack
from schemas.codec import unpack
from schemas.envelope import Header
from schemas.errors import SealError
from schemas.limits import ENVELOPE_BYTES_MAX, HEADER_BYTES_MAX
from schemas.report import Portion


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What one world has and the other has not: the report of a standing order, or an inject and all that it causes."""

    order: str | None = None
    inject: str | None = None

    @property
    def name(self) -> str:
        """The id that a planner gave it."""
        return self.order or self.inject or ""


@dataclass(frozen=True, slots=True, order=True)
class HeldBack:
    """An act that would have told an observer: whose, by which order, and whom."""

    agency: str
    order: str
    observers: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Concealment:
    """What is secret in one play, as far as it has gone.

    Attributes:
        secret: Where it begins.
        present: Whether it is in this world.
        observers: Who must not notice.
        hidden: The ids of injects and messages (hex) that are secret by now.
        touching: The standing orders that correct, grant or take back what was sent in secret: they are as secret,
            in both worlds from the beginning.
        orders: The standing orders that were carried out in secret.
        held_back: What was not done, since it would have told an observer.
    """

    secret: Secret | None
    present: bool
    observers: frozenset[str]
    hidden: set[str] = field(default_factory=set)
    touching: frozenset[str] = frozenset()
    orders: set[str] = field(default_factory=set)
    held_back: set[HeldBack] = field(default_factory=set)

    def seat(self, pack: Pack, *, node: Node, chances: Chances, **seated: Any) -> Desk:
        """Seat a desk (``scenarios.engine.Seat``)."""
        minds = Minds(
            open_mind=cast_bot(pack, node.agency, chance=chances(f"desk {node.agency}")),
            secret_mind=cast_bot(pack, node.agency, chance=chances(f"desk {node.agency}, in secret")),
            concealment=self,
        )
        return ConcealingDesk(node=node, minds=minds, concealment=self, **seated)


def orders_touching(pack: Pack, orders: Collection[str]) -> frozenset[str]:
    """Return the standing orders that correct, grant or take back what any of these has sent, or each other."""
    touching: set[str] = set()
    before = -1
    while len(touching) > before:
        before = len(touching)
        sent = touching | set(orders)
        touching |= {
            item.order
            for item in pack.orders
            if not sent.isdisjoint({item.corrects, item.recalls, item.grants, item.withdraws, item.releases})
        }
    return frozenset(touching)


class Minds(Bot):
    """A bot of two minds; which of them is asked is ``in_secret``."""

    def __init__(self, *, open_mind: Bot, secret_mind: Bot, concealment: Concealment) -> None:
        self._open = open_mind
        self._secret = secret_mind
        self._concealment = concealment
        self.in_secret = False

    @contextmanager
    def being(self, *, in_secret: bool) -> Generator[None, None, None]:
        """Act for the length of the block in one mind."""
        before, self.in_secret = self.in_secret, in_secret
        try:
            yield
        finally:
            self.in_secret = before

    def times(self) -> tuple[int, ...]:
        """Return the times that its orders wait for, Unix ms."""
        return self._open.times()

    def reading_ms(self) -> int:
        """Return how long the desk takes to open what has just come."""
        return self._mind().reading_ms()

    def deciding_ms(self) -> int:
        """Return how long the desk takes to decide on what it has no order for."""
        return self._mind().deciding_ms()

    def waits_for(self, word: TriggerWord) -> bool:
        """Tell whether any of its orders names this trigger."""
        return self._open.waits_for(word)

    def notice(self, sighting: Sighting) -> tuple[PlannedAct, ...]:
        """Take in something that happened; the open mind is told of nothing that is secret."""
        hidden = self._concealment.hidden
        secretly = tuple(
            planned
            for planned in self._secret.notice(sighting)
            if self.in_secret or any(cause.cause in hidden for cause in planned.causes)
        )
        if self.in_secret:
            return secretly
        return (*self._open.notice(sighting), *secretly)

    def kept(self, passages: Iterable[str], order: StandingOrder) -> frozenset[str]:
        """Return the passages that end up in what is written."""
        return self._mind().kept(passages, order)

    def _mind(self) -> Bot:
        return self._secret if self.in_secret else self._open


class _MindfulClock:
    """The exercise clock of one desk: what is asked for in secret happens in secret."""

    def __init__(self, clock: ExerciseClock, minds: Minds) -> None:
        self._clock = clock
        self._minds = minds

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def at(self, at_ms: int, due: Due) -> None:
        self._clock.at(at_ms, partial(self._run, due) if self._minds.in_secret else due)

    async def _run(self, due: Due) -> None:
        with self._minds.being(in_secret=True):
            awaited = due()
            if awaited is not None:
                await awaited


class ConcealingDesk(Desk):
    """A desk that keeps a secret from the observers, whatever its orders say."""

    def __init__(
        self,
        *,
        node: Node,
        minds: Minds,
        concealment: Concealment,
        clock: ExerciseClock,
        noticed: Callable[[Sighting], None],
        in_play: Callable[[], bool],
    ) -> None:
        def notice(sighting: Sighting) -> None:
            if not minds.in_secret and sighting.cause not in concealment.hidden:
                noticed(sighting)

        mindful: Any = _MindfulClock(clock, minds)  # all that a desk asks of a clock
        super().__init__(node=node, bot=minds, clock=mindful, noticed=notice, in_play=in_play)
        self._minds = minds
        self._concealment = concealment
        self._order = ""
        self._keep_release = node.store.keep_release
        node.store.keep_release = self._put_out  # type: ignore[method-assign] # here every release passes, whoever sends it

    def hand_material(self, inject: str, material: tuple[Portion, ...]) -> None:
        """Put an inject on the desk, unless it is the secret of another world."""
        concealment = self._concealment
        secret = concealment.secret is not None and inject == concealment.secret.inject
        if secret and not concealment.present:
            return
        if secret:
            concealment.hidden.add(inject)
        with self._minds.being(in_secret=secret):
            super().hand_material(inject, material)

    def arrived(self, arrival: Arrival) -> None:
        """Put a message on the desk; what comes of a secret is one."""
        ref = "" if arrival.ref is None else arrival.ref.hex()
        # A receipt or verdict on a secret is as secret; its own id may be new.
        with self._minds.being(in_secret=bool({arrival.hid.hex(), ref} & self._concealment.hidden)):
            super().arrived(arrival)

    def told(self, notice: Notice) -> None:
        """Take what the node tells its desk unasked."""
        about = {hid.hex() for hid in (notice.hid, *notice.products) if hid is not None}
        with self._minds.being(in_secret=bool(about & self._concealment.hidden)):
            super().told(notice)

    async def _act(self, planned: PlannedAct) -> None:
        secret = self._minds.in_secret or self._is_secret(planned)
        if secret and not self._concealment.present:
            return
        if secret:
            self._concealment.orders.add(planned.order.order)
        before, self._order = self._order, planned.order.order
        try:
            with self._minds.being(in_secret=secret):
                await super()._act(planned)
        finally:
            self._order = before

    def _is_secret(self, planned: PlannedAct) -> bool:
        """Tell whether an act is the secret, comes of it, or touches it."""
        order, concealment = planned.order.order, self._concealment
        begins = concealment.secret is not None and concealment.secret.order == order
        caused = any(cause.cause in concealment.hidden for cause in planned.causes)
        return begins or caused or order in concealment.touching

    def _put_out(self, hid: bytes, wraps_hash: bytes, envelope: bytes, readers: list[ReaderDue], **kept: Any) -> int:
        # Receipts follow by themselves from what came, and go to whoever sent that. What refers to a secret is one.
        about = {kept["subject"].hex(), _ref_of(envelope)}
        secret = kept["kind"] != "receipt" and (self._minds.in_secret or bool(about & self._concealment.hidden))
        if secret:
            told = tuple(sorted(self._concealment.observers & {due.reader for due in readers}))
            if told:
                self._concealment.held_back.add(HeldBack(self.agency, self._order, told))
                msg = f"it would tell {', '.join(told)} what comes of a secret"
                raise SealError(msg, remedy="")
            self._concealment.hidden.add(hid.hex())
        return self._keep_release(hid, wraps_hash, envelope, readers, **kept)


def _ref_of(envelope: bytes) -> str:
    """Return the id of the message that an envelope of ours refers to, in hex; empty if it refers to none."""
    header: bytes = unpack(envelope, bytes_max=ENVELOPE_BYTES_MAX)[0]
    ref: bytes | None = Header(*unpack(header, bytes_max=HEADER_BYTES_MAX)).ref
    return "" if ref is None else ref.hex()
