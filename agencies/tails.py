"""The ends of sequences: what this node says of its own on a heartbeat, and what others say of theirs to it.

A gap in an originator's numbers shows that something before was dropped. That the newest of all was dropped nothing
shows, for nothing follows it; so its originator says how far it has come, to everybody who owes it a receipt, and a
reader that has not come as far by its own next heartbeat tells its desk (docs/spec/envelope.md, "Sequence").
"""

from agencies.core import NodeCore
from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.receipts import ReceiptWatch
from agencies.store import NodeStore
from schemas.errors import Code, RemoteError
from schemas.frames import Tail, TailMessage
from schemas.limits import TAILS_MAX
from sealing.tails import check_tail, prove_tail


class OwnTails:
    """What this node says on its heartbeats.

    Args:
        core: Holds the keys.
        store: The outbox.
    """

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._core = core
        self._store = store
        self._watch = ReceiptWatch(core=core, store=store)

    def tails(self, moment: Moment) -> tuple[Tail, ...]:
        """Return the last accepted number for each reader that owes a receipt, at most TAILS_MAX of them."""
        last: dict[str, int] = {}
        for release in self._store.unreceipted_releases(limit=4 * TAILS_MAX):
            for owing in self._watch.owing(release):
                last[owing.reader] = max(owing.seq, last.get(owing.reader, 0))
        try:
            mine = self._core.keys.current(now_ms=moment.at_ms)
        except RemoteError:
            return ()
        said: list[Tail] = []
        for reader, seq in sorted(last.items())[:TAILS_MAX]:
            try:
                theirs = self._core.boxes.current(reader, now_ms=moment.at_ms)
                pair_key = self._core.pairs.to_reader(mine, reader, theirs)
            except RemoteError:
                continue  # its key is looked up when something is released to it next
            proof = prove_tail(pair_key, seq=seq, at_ms=moment.at_ms)
            said.append(Tail(reader, mine.epoch, theirs.epoch, seq, proof))
        return tuple(said)


class TailWatch:
    """What others say to this node, until it has come as far.

    Args:
        core: Holds the keys.
        store: Knows the numbers that have come.
    """

    def __init__(self, *, core: NodeCore, store: NodeStore) -> None:
        self._core = core
        self._store = store
        self._said: dict[str, int] = {}  # by originator; those of the bundle are as many as there can be
        self._before: dict[str, int] = {}  # said before our last heartbeat

    def take(self, message: TailMessage, moment: Moment) -> None:
        """Take what an originator says.

        Raises:
            RemoteError: KEY_EPOCH if its key or ours is not known, BAD_WRAP if it is not proved,
                UNKNOWN_SENDER if it takes no part.
        """
        originator = message.originator
        agency = self._core.community.agency(originator)
        if agency is None or agency.status != "active":
            msg = f"{originator} takes no part"
            raise RemoteError(Code.UNKNOWN_SENDER, msg)
        theirs = self._core.boxes.at_epoch(originator, message.from_epoch, now_ms=moment.at_ms)
        mine = self._core.keys.at_epoch(message.to_epoch)
        pair_key = self._core.pairs.from_originator(mine, originator, theirs)
        check_tail(pair_key, message.proof, seq=message.seq, at_ms=message.at)
        self._said[originator] = max(message.seq, self._said.get(originator, 0))

    def beat(self, moment: Moment) -> tuple[Notice, ...]:
        """Note a heartbeat of ours: what was said before the last one and has not come is told, once.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next heartbeat finds it again.
        """
        late = {name: seq for name, seq in self._before.items() if self._behind(name, seq)}
        notices = tuple(self._tell(name, seq, moment) for name, seq in sorted(late.items()))
        self._before = {name: seq for name, seq in self._said.items() if self._behind(name, seq)}
        self._said = dict(self._before)
        return notices

    def _behind(self, originator: str, seq: int) -> bool:
        return seq > max(self._store.highest_seq(originator), self._store.value(_told(originator)))

    def _tell(self, originator: str, seq: int, moment: Moment) -> Notice:
        messages = seq - self._store.highest_seq(originator)
        with self._store.transaction():
            self._store.keep_value(_told(originator), seq)
            self._store.journal.write(
                "unarrived",
                at_ms=moment.at_ms,
                machine_ms=moment.machine_ms,
                originator=originator,
                messages=messages,
            )
        return Notice(
            word="unarrived", at_ms=moment.at_ms, readers=(originator,), accepted=True, text=f"{messages} messages"
        )


def still_unarrived(store: NodeStore) -> dict[str, int]:
    """Return by originator how many messages it said it had sent, and of which nothing has come to this day."""
    found = {}
    for originator in sorted(set(store.journal.field("unarrived", "originator"))):
        missing = store.value(_told(originator)) - store.highest_seq(originator)
        if missing > 0:
            found[originator] = missing
    return found


def _told(originator: str) -> str:
    return f"unarrived:{originator}"
