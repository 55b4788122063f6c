"""What a stolen box key opens: all that was sealed to it, and nothing that is sealed to the next one."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from agencies.keyring import Keys
from schemas.errors import RemoteError
from schemas.frames import Announcement
from schemas.report import PortionContent
from sealing.directory import BoxDirectory, SignDirectory
from sealing.keyfile import KeyRing
from sealing.opening import my_wrap, open_portions, unwrap
from sealing.pairs import PairKeys
from sealing.received import Received, read_envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One delivery that was tried with a stolen key; ``code`` says why it stayed shut, and is empty where it opened."""

    hid: bytes
    kind: str
    originator: str
    passages: tuple[str, ...]
    code: str


class StolenBox:
    """A copy of an agency's box keys, as they were when they were stolen.

    Args:
        ring: The keys.
        signers: Whose announcements are believed.
    """

    def __init__(self, ring: KeyRing, signers: SignDirectory) -> None:
        self._keys = Keys(ring)
        self._pairs = PairKeys(ring.name)
        self._signers = signers
        self._boxes = BoxDirectory()
        self._heard: set[bytes] = set()

    def hear(self, announcements: Iterable[Announcement], *, now_ms: int) -> None:
        """Take up the box keys that were announced on the line; what does not hold is passed over, as by a node."""
        for announcement in announcements:
            if announcement.statement in self._heard:
                continue
            self._heard.add(announcement.statement)
            with suppress(RemoteError):
                self._boxes.admit(announcement, signers=self._signers, now_ms=now_ms)

    def attempt(self, cut: bytes, *, now_ms: int) -> Tried:
        """Try to read a delivery that was captured."""
        received = read_envelope(cut)
        header = received.header
        passages: tuple[str, ...] = ()
        code = ""
        try:
            passages = self._open(received, now_ms)
        except RemoteError as error:
            code = error.code.value
        return Tried(hid=received.hid, kind=header.kind, originator=header.by[0], passages=passages, code=code)

    def _open(self, received: Received, now_ms: int) -> tuple[str, ...]:
        wrap = my_wrap(received, me=self._keys.agency)
        theirs = self._boxes.at_epoch(received.originator, wrap.from_epoch, now_ms=now_ms)
        mine = self._keys.at_epoch(wrap.to_epoch)
        pair_key = self._pairs.from_originator(mine, received.originator, theirs)
        opened = open_portions(received, unwrap(received, wrap, pair_key=pair_key))
        return tuple(
            passage
            for portion in opened
            if isinstance(portion.content, PortionContent)
            for passage in portion.content.passages
        )
