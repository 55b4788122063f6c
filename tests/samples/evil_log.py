"""A log that signs whatever it is told to."""

from schemas.frames import CheckpointMessage
from sealing.keys import SignPair, sign_pair_from_seed
from sealing.merkle import Frontier, consistency_proof, leaf_hash, row_of
from sealing.notes import Checkpoint, Note, log_origin, sign_checkpoint

EVIL_ROUTER = sign_pair_from_seed(b"r" * 32)


class EvilLog:
    """One history, of as many as its owner likes."""

    def __init__(self, *entries: str, router: str = "router", signer: SignPair = EVIL_ROUTER) -> None:
        self.origin = log_origin(router)
        self.signer = signer
        self.rows: list[list[bytes]] = []
        self.frontier = Frontier()
        self.append(*entries)

    def append(self, *entries: str) -> "EvilLog":
        self.rows += [self.frontier.append(leaf_hash(entry.encode())) for entry in entries]
        return self

    def note(self) -> Note:
        return sign_checkpoint(Checkpoint(self.origin, self.frontier.size, self.frontier.root()), signer=self.signer)

    def proof(self, old_size: int) -> tuple[bytes, ...]:
        return consistency_proof(
            old_size, self.frontier.size, lambda level, index: self.rows[row_of(level, index)][level]
        )

    def message(self, old_size: int) -> CheckpointMessage:
        return CheckpointMessage("checkpoint", old_size, self.proof(old_size), self.note().packed())
