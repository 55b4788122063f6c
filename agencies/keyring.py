"""An agency's own keys: one sign pair, and a box pair for each epoch (one week and a day of overlap)."""

from schemas.errors import Code, RemoteError
from schemas.limits import BOX_EPOCH_MS, BOX_EPOCH_OVERLAP_MS, CLOCK_SKEW_MS_MAX
from sealing.entropy import Entropy
from sealing.keyfile import KeyRing, box_secret
from sealing.keys import BoxPair, SignPair, box_pair_from_secret, new_box_pair, sign_pair_from_seed

_EPOCHS_KEPT = 3  # the current one, the one before while its overlap lasts, and the next
_ROTATE_BEFORE_MS = CLOCK_SKEW_MS_MAX  # the next epoch is announced before the last one's week is over everywhere


class Keys:
    """The secrets of one agency while its node runs."""

    def __init__(self, ring: KeyRing) -> None:
        self.agency = ring.name
        self.signer: SignPair = sign_pair_from_seed(ring.sign_seed)
        self._seed = ring.sign_seed
        self._boxes: dict[int, BoxPair] = {
            box.epoch: box_pair_from_secret(box.secret, epoch=box.epoch, not_before=box.not_before, expires=box.expires)
            for box in ring.boxes
        }

    def __repr__(self) -> str:
        return f"Keys({self.agency})"

    def ring(self) -> KeyRing:
        """Return the secrets as a key file holds them."""
        boxes = tuple(
            box_secret(epoch=pair.epoch, secret_key=pair.secret, not_before=pair.not_before, expires=pair.expires)
            for _, pair in sorted(self._boxes.items())
        )
        return KeyRing(self.agency, self._seed, boxes)

    def current(self, *, now_ms: int) -> BoxPair:
        """Return the box pair to seal with now.

        Raises:
            RemoteError: KEY_EPOCH if there is none; ``rotate`` makes one.
        """
        begun = [pair for pair in self._boxes.values() if pair.not_before <= now_ms < pair.expires]
        if not begun:
            msg = f"{self.agency} has no box key that holds now"
            raise RemoteError(Code.KEY_EPOCH, msg)
        return max(begun, key=lambda pair: pair.epoch)

    def at_epoch(self, epoch: int) -> BoxPair:
        """Return the box pair of one epoch.

        Raises:
            RemoteError: KEY_EPOCH if it is not kept.
        """
        pair = self._boxes.get(epoch)
        if pair is None:
            msg = f"epoch {epoch} of {self.agency} is not kept"
            raise RemoteError(Code.KEY_EPOCH, msg)
        return pair

    def pairs(self) -> tuple[BoxPair, ...]:
        """Return every box pair that is kept, oldest first."""
        return tuple(pair for _, pair in sorted(self._boxes.items()))

    def rotate(self, *, now_ms: int, entropy: Entropy, at_once: bool = False) -> BoxPair | None:
        """Make the next epoch's pair when the last one's week is over; returns it, or None while it is not.

        Args:
            now_ms: Unix ms.
            entropy: Where the secret comes from.
            at_once: Before the week is over, unless that would push out a pair to which something may be under way.
        """
        newest = max(self._boxes, default=0)
        if at_once:
            if sum(now_ms < pair.expires for pair in self._boxes.values()) >= _EPOCHS_KEPT:
                return None
        elif newest and now_ms < self._boxes[newest].not_before + BOX_EPOCH_MS - _ROTATE_BEFORE_MS:
            return None
        pair = new_box_pair(
            entropy, epoch=newest + 1, not_before=now_ms, expires=now_ms + BOX_EPOCH_MS + BOX_EPOCH_OVERLAP_MS
        )
        self._boxes[pair.epoch] = pair
        # "A node MUST keep an old box secret for the overlap, and erase it then."
        for epoch in [epoch for epoch, old in self._boxes.items() if old.expires <= now_ms]:
            del self._boxes[epoch]
        while len(self._boxes) > _EPOCHS_KEPT:
            del self._boxes[min(self._boxes)]
        return pair

    def drop(self, epoch: int) -> None:
        """Take back a pair that could not be written down: what is sealed to it could not be opened after a restart."""
        self._boxes.pop(epoch, None)


def new_key_ring(agency: str, entropy: Entropy) -> KeyRing:
    """Make the keys of a new agency; its box pairs come with its first rotation."""
    return KeyRing(agency, entropy.take(32), ())
