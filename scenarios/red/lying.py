"""What a lying router does to one agency's deliveries: keeps them back, changes them, or shows them to others."""

from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from random import Random  # noqa: TID251 - the type of a seeded stream
from typing import Any, Final

from scenarios.evil_cuts import Form, bend
from scenarios.model import RedAct
from schemas.errors import LinkError, RemoteError
from sealing.received import read_envelope

# One after the other, so that each of them is tried; all of them can still be told which message they were.
_FORMS: Final[tuple[Form, ...]] = ("body", "signature", "bits", "header")


class Liar:
    """One act of a lying router, on one agency's line.

    Args:
        act: What it is.
        now_ms: Exercise time.
        end_ms: When it ends, Unix ms; None at ENDEX.
        slip: Puts a cut at an agency's door.
        write: Writes into EXCON's record.
        chance: Which byte is bent.
    """

    def __init__(
        self,
        act: RedAct,
        *,
        now_ms: Callable[[], int],
        end_ms: int | None,
        slip: Callable[[str, bytes], None],
        write: Callable[..., None],
        chance: Random,
    ) -> None:
        self._act = act
        self._now_ms = now_ms
        self._end_ms = end_ms
        self._slip = slip
        self._write: Callable[..., Any] = write
        self._forms = cycle(_FORMS)
        self._chance = chance

    def pass_on(self, cut: bytes) -> bytes:
        """Return what the reader gets in the place of a cut; nothing, where it is kept back."""
        if not cut or (self._end_ms is not None and self._now_ms() >= self._end_ms):
            return cut
        try:
            received = read_envelope(cut)
        except RemoteError:
            return cut  # it has been lied about already
        if received.header.kind != "report":
            return cut
        self._write("red_lied", act=self._act.act, hid=received.hid.hex(), originator=received.originator)
        match self._act.kind:
            case "drop":
                return b""
            case "substitute":
                return bend(cut, next(self._forms), other=cut, chance=self._chance)
            case _:
                for agency in self._act.to:
                    # A stranger whose line is full gets one less; that is no reason to keep the true reader's back.
                    with suppress(LinkError):
                        self._slip(agency, cut)
                return cut
