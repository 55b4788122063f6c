"""A router with its store on disk and no network, in the small community of the conformance vectors.

What is decided, queued, numbered and sent can so be looked at message by message; a restart is a second router on the
same file.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from broker.core import Identity, RouterCore
from broker.quota import QuotaLimits
from broker.router import BundleSigned, FrameArrived, Outcome, Router, SessionEnded
from broker.store import RecordRow, Store
from conformance import world
from conformance.evil_book import sealed
from conformance.evil_sealer import Sealed
from schemas.bundle import Bundle, Status
from schemas.codec import pack
from schemas.frames import (
    Ack,
    Announcement,
    ChunkMessage,
    ChunkRequest,
    Delivery,
    DownMessage,
    EnvelopeMessage,
    Hello,
    Resume,
    UpMessage,
)
from schemas.label import Label
from sealing.statements import sign_bundle


class SmallRouter:
    """The synchronous half of the broker with a clock that stands until it is set."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: QuotaLimits | None = None,
        announced: bool = True,
        bundle: Bundle = world.BUNDLE,
    ) -> None:
        self.bundle = bundle
        self.path = folder / "broker.sqlite"
        self.limits = limits or QuotaLimits()
        self.now_ms = world.NOW
        self._open()
        if announced:
            for name in world.READERS:
                own = tuple(item for item in world.announcements() if name.encode() in item.statement)
                self.frame(name, *own)

    def _open(self) -> None:
        self.store = Store.open(self.path, router=world.ROUTER)
        identity = Identity(router=world.ROUTER, signer=world.sign_pair(world.ROUTER))
        self.core = RouterCore(identity=identity, bundle=self.bundle)
        with self.store.transaction():
            self.store.holdings.write_bundle(self.bundle.version, world.signed_bundle())
        self.router = Router(core=self.core, store=self.store, limits=self.limits)

    def restart(self) -> None:
        """Close the file and begin anew from it, as after a crash: no session is left."""
        self.store.close()
        self._open()

    def close(self) -> None:
        self.store.close()

    def frame(self, agency: str, *messages: UpMessage) -> Outcome:
        return self.router.handle([FrameArrived(agency=agency, messages=messages)], now_ms=self.now_ms)

    def frames(self, *arrivals: FrameArrived) -> Outcome:
        return self.router.handle(arrivals, now_ms=self.now_ms)

    def hello(self, agency: str, dseq: int = 0) -> list[DownMessage]:
        return self.frame(agency, Hello("hello", dseq, world.BUNDLE_VERSION)).sends.get(agency, [])

    def ack(self, agency: str, dseq: int) -> list[DownMessage]:
        return self.frame(agency, Ack("ack", dseq)).sends.get(agency, [])

    def leave(self, agency: str) -> None:
        self.router.handle([SessionEnded(agency=agency)], now_ms=self.now_ms)

    def send(self, made: bytes, *, sender: str = "alpha") -> Outcome:
        return self.frame(sender, EnvelopeMessage("envelope", made))

    def report(self, name: str, *readers: str, label: Label = world.LABEL) -> tuple[Sealed, Outcome]:
        """Release a report of one portion by alpha; its name decides its id."""
        message, made = _sealed_report(name, label, readers)
        return message, self.send(made)

    def install(self, *, version: int = world.BUNDLE_VERSION + 1, status: dict[str, Status]) -> Outcome:
        """Install a bundle in which these agencies have another status."""
        agencies = tuple(item._replace(status=status.get(item.agency, item.status)) for item in self.bundle.agencies)
        bundle = self.bundle._replace(version=version, agencies=agencies)
        signed = sign_bundle(bundle, {name: world.sign_pair(name) for name in ("north", "south")})
        self.core.install(bundle)
        return self.router.handle([BundleSigned(version=version, signed=signed)], now_ms=self.now_ms)

    def records(self, *stages: str) -> list[RecordRow]:
        return [row for row in self.store.records() if not stages or row.stage in stages]

    def queued_to(self, readers: Iterable[str]) -> int:
        """Return how many rows wait for these readers, or for their acks."""
        queues = self.store.queues()
        return sum(queues.get(reader, 0) for reader in readers)

    def queued(self, reader: str) -> int:
        return self.store.queues().get(reader, 0)


@cache
def _sealed_report(name: str, label: Label, readers: tuple[str, ...]) -> tuple[Sealed, bytes]:
    return sealed(name=name, labels=(label,), readers=tuple((reader, (0,)) for reader in readers))


def deliveries(messages: list[DownMessage]) -> list[Delivery]:
    return [message for message in messages if isinstance(message, Delivery)]


def numbers(messages: list[DownMessage]) -> list[int]:
    return [delivery.dseq for delivery in deliveries(messages)]


def resumed_at(messages: list[DownMessage]) -> int:
    (resume,) = [message for message in messages if isinstance(message, Resume)]
    return resume.dseq


def chunks_of(messages: list[DownMessage]) -> list[ChunkMessage]:
    return [message for message in messages if isinstance(message, ChunkMessage)]


def wanted(messages: list[DownMessage]) -> list[int]:
    return [message.number for message in messages if isinstance(message, ChunkRequest)]


def announced(messages: list[DownMessage]) -> list[Announcement]:
    return [message for message in messages if isinstance(message, Announcement)]


def chunked(router: SmallRouter, *readers: str, name: str = "chunked") -> Any:
    """Release a portion in four chunks of 256 bytes; returns the portion and hid."""
    text = pack(("EXERCISE", "chunks", ((None, "y" * 900),), "en", (), (), None, None, None, ()))
    message, made = sealed(
        name=name, labels=(world.LABEL,), contents=(text,), readers=tuple((item, (0,)) for item in readers),
        chunk_bytes=256,
    )  # fmt: skip
    outcome = router.send(made)
    return message.portions[0], message.hid, outcome


def chunk(hid: bytes, portion: Any, number: int) -> ChunkMessage:
    return ChunkMessage("chunk", hid, portion.place, number, portion.chunks[number])


def want(hid: bytes, portion: Any, number: int) -> ChunkRequest:
    return ChunkRequest("want", hid, portion.place, number)
