"""Whose key is whose, and when: sign keys out of the bundle, box keys out of their owners' announcements.

Both ends judge a signature by the key that was valid when the message was sealed, and refuse on arrival whatever a
key signed once its revocation is known (docs/spec/envelope.md, "Keys").
"""

from dataclasses import dataclass

from schemas.bundle import Agency, Bundle, SignKey
from schemas.codec import pack, read_shape, unpack
from schemas.errors import Code, RemoteError
from schemas.frames import Announcement, BoxKeyStatement
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CLOCK_SKEW_MS_MAX
from sealing.keys import BoxPair, SignPair, admit_box_key, admit_sign_key
from sealing.primitives import SIGN_BOX, sign, verify_any

_STATEMENT_BYTES_MAX = 256
_EPOCHS_KEPT = 4  # the current one, the next, and two that may still be in flight


@dataclass(frozen=True, slots=True)
class BoxKey:
    """A box key as its owner announced it; times are Unix ms."""

    epoch: int
    public: bytes
    not_before: int
    expires: int


class SignDirectory:
    """The sign keys of one version of the bundle.

    Raises:
        RemoteError: KEY_WEAK if the bundle holds a degenerate key, or one key for two agencies.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._agencies: dict[str, Agency] = {}
        owners: dict[bytes, str] = {}
        for agency in bundle.agencies:
            for key in agency.keys:
                admit_sign_key(key.key)
                if owners.setdefault(key.key, agency.agency) != agency.agency:
                    msg = f"{agency.agency} and {owners[key.key]} share a sign key"
                    raise RemoteError(Code.KEY_WEAK, msg)
            self._agencies[agency.agency] = agency
        for router in bundle.routers:
            admit_sign_key(router.key.key)

    def keys_of(self, agency: str, *, sealed_at: int, arrived_at: int) -> tuple[bytes, ...]:
        """Return the keys that may have signed a message of the agency, newest first.

        Args:
            agency: The claimed signer.
            sealed_at: What the message says, Unix ms.
            arrived_at: The reader's own clock, Unix ms.

        Raises:
            RemoteError: UNKNOWN_SENDER, KEY_REVOKED or KEY_TIME.
        """
        known = self._active(agency)
        valid = [key for key in known.keys if key.not_before <= sealed_at < key.expires]
        if not valid:
            msg = f"{agency} has no sign key that was valid when the message was sealed"
            raise RemoteError(Code.KEY_TIME, msg)
        # "After a revocation a message is refused on arrival, whatever its timestamp says."
        usable = [key for key in valid if not _is_revoked(key, arrived_at)]
        if not usable:
            msg = f"the sign key of {agency} is revoked"
            raise RemoteError(Code.KEY_REVOKED, msg)
        usable.sort(key=lambda key: key.not_before, reverse=True)
        return tuple(key.key for key in usable)

    def every_key_of(self, agency: str) -> tuple[bytes, ...]:
        """Return all the keys that the bundle names for an agency that takes part, whenever they hold.

        Raises:
            RemoteError: UNKNOWN_SENDER, or KEY_REVOKED if the agency is not active.
        """
        return tuple(key.key for key in self._active(agency).keys)

    def _active(self, agency: str) -> Agency:
        known = self._agencies.get(agency)
        if known is None:
            msg = f"{agency} is not in the bundle"
            raise RemoteError(Code.UNKNOWN_SENDER, msg)
        if known.status != "active":
            msg = f"{agency} is {known.status}"
            raise RemoteError(Code.KEY_REVOKED, msg)
        return known

    def verify(self, agency: str, purpose: bytes, content: bytes, signature: bytes, *, at: tuple[int, int]) -> None:
        """Prove that the agency signed, under any of its keys that count; ``at`` is (sealed, arrived), Unix ms.

        Raises:
            RemoteError: UNKNOWN_SENDER, KEY_REVOKED, KEY_TIME or BAD_SIG.
        """
        verify_any(self.keys_of(agency, sealed_at=at[0], arrived_at=at[1]), purpose, content, signature)


def _is_revoked(key: SignKey, arrived_at: int) -> bool:
    return key.revoked is not None and arrived_at >= key.revoked


class BoxDirectory:
    """The box keys that agencies have announced, a few epochs each."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[int, BoxKey]] = {}

    def admit(self, announcement: Announcement, *, signers: SignDirectory, now_ms: int) -> BoxKeyStatement:
        """Check an announcement and keep its key.

        Raises:
            RemoteError: From the reading of the statement, KEY_WEAK, KEY_TIME, ROLLBACK (another key for an epoch
                already known), UNKNOWN_SENDER, KEY_REVOKED or BAD_SIG.
        """
        statement = _read_statement(announcement)
        at = (now_ms, now_ms)
        signers.verify(statement.agency, SIGN_BOX, announcement.statement, announcement.signature, at=at)
        admit_box_key(statement.key)
        _check_times(statement, now_ms)
        return self._keep(statement)

    def readmit(self, announcement: Announcement, *, signers: SignDirectory) -> BoxKeyStatement:
        """Take up an announcement that was admitted before, as after a restart.

        It was judged by the clock when it arrived. Its sign key may be over by now, or have begun after the box key
        did, so any key that the bundle names for its owner will do.

        Raises:
            RemoteError: As ``admit``, but never for a key that is over: it stays until it is pushed out.
        """
        statement = _read_statement(announcement)
        keys = signers.every_key_of(statement.agency)
        verify_any(keys, SIGN_BOX, announcement.statement, announcement.signature)
        admit_box_key(statement.key)
        _check_times(statement, statement.not_before)
        return self._keep(statement)

    def _keep(self, statement: BoxKeyStatement) -> BoxKeyStatement:
        epochs = self._keys.setdefault(statement.agency, {})
        key = BoxKey(statement.epoch, statement.key, statement.not_before, statement.expires)
        if epochs.get(statement.epoch, key) != key:
            msg = f"{statement.agency} announces another box key for epoch {statement.epoch}"
            raise RemoteError(Code.ROLLBACK, msg)
        epochs[statement.epoch] = key
        while len(epochs) > _EPOCHS_KEPT:
            del epochs[min(epochs)]
        return statement

    def current(self, agency: str, *, now_ms: int) -> BoxKey:
        """Return the key to seal to now: the newest epoch that has begun.

        Raises:
            RemoteError: KEY_EPOCH if the agency has announced none that holds now.
        """
        begun = [key for key in self._keys.get(agency, {}).values() if key.not_before <= now_ms < key.expires]
        if not begun:
            msg = f"{agency} has announced no box key that holds now"
            raise RemoteError(Code.KEY_EPOCH, msg)
        return max(begun, key=lambda key: key.epoch)

    def at_epoch(self, agency: str, epoch: int, *, now_ms: int) -> BoxKey:
        """Return the key of one epoch while it still holds.

        Raises:
            RemoteError: KEY_EPOCH if it is unknown, over, or not yet begun (a clock's skew allowed).
        """
        key = self._keys.get(agency, {}).get(epoch)
        if key is None or not key.not_before - CLOCK_SKEW_MS_MAX <= now_ms < key.expires:
            msg = f"epoch {epoch} of {agency} does not hold now"
            raise RemoteError(Code.KEY_EPOCH, msg)
        return key


def _read_statement(announcement: Announcement) -> BoxKeyStatement:
    return read_shape(BoxKeyStatement, unpack(announcement.statement, bytes_max=_STATEMENT_BYTES_MAX))


def _check_times(statement: BoxKeyStatement, now_ms: int) -> None:
    lifetime = statement.expires - statement.not_before
    if not 0 < lifetime <= BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS or statement.expires <= now_ms:
        msg = f"the box key of {statement.agency} is over, or holds for longer than an epoch and its overlap"
        raise RemoteError(Code.KEY_TIME, msg)


def announce(pair: BoxPair, *, agency: str, signer: SignPair) -> Announcement:
    """State a box key under its owner's sign key."""
    statement = pack(BoxKeyStatement(agency, pair.epoch, pair.public, pair.not_before, pair.expires))
    return Announcement("announce", statement, sign(signer.secret, SIGN_BOX, statement))
