"""A node's receiving half on a real file and without a link, fed cut by cut."""

from pathlib import Path
from typing import Any

from agencies.core import NodeCore
from agencies.incoming import LAST_DSEQ, Incoming
from agencies.keyring import Keys
from agencies.outgoing import Moment
from agencies.state import Judged, Rejected
from agencies.store import NodeStore
from conformance import world
from conformance.evil_book import envelope
from conformance.evil_sealer import cut
from schemas.frames import Delivery, DownMessage
from sealing.keyfile import KeyRing, box_secret


def keys(agency: str) -> Keys:
    pair = world.box_pair(agency)
    box = box_secret(epoch=pair.epoch, secret_key=pair.secret, not_before=pair.not_before, expires=pair.expires)
    return Keys(KeyRing(agency, world.secret(f"sign {agency}"), (box,)))


class Reader:
    """A node's receiving half on a real file, fed delivery by delivery."""

    def __init__(self, folder: Path, agency: str = "bravo") -> None:
        self.agency = agency
        self.core = NodeCore(keys=keys(agency), bundle=world.BUNDLE)
        for announcement in world.announcements():
            self.core.boxes.readmit(announcement, signers=self.core.signers)
        self.store = NodeStore.open(folder / f"{agency}.sqlite", agency=agency)
        self.incoming = Incoming(core=self.core, store=self.store, root=world.TRUST)
        self.now_ms = world.NOW

    def judge(self, made: bytes) -> Judged:
        """Judge the reader's cut of an envelope."""
        return self.core.judge(cut(made, self.agency), now_ms=self.now_ms, state=self.store)

    def judge_cut(self, received: bytes) -> Judged:
        return self.core.judge(received, now_ms=self.now_ms, state=self.store)

    def take(self, *messages: DownMessage) -> Any:
        return self.incoming.take(messages, Moment(at_ms=self.now_ms, machine_ms=0))

    def deliver(self, made: bytes) -> Any:
        number = self.store.value(LAST_DSEQ) + 1
        return self.take(Delivery("delivery", number, cut(made, self.agency)))

    def noted(self, *stages: str) -> list[dict[str, Any]]:
        return [
            entry.fields | {"stage": entry.stage} for entry in self.store.journal.entries() if entry.stage in stages
        ]

    def stages(self) -> list[str]:
        return [entry.stage for entry in self.store.journal.entries()]


def rejected(judged: Judged) -> tuple[str, str]:
    assert isinstance(judged, Rejected)
    return judged.stage, judged.code


def one(name: str = "base", *, seq: int = 1, **changes: Any) -> bytes:
    return envelope(**{"name": name, "seq": seq, "labels": (world.LABEL,), "readers": (("bravo", (0,)),), **changes})
