"""The list of planted bugs, and within how many seeds a soak that is worth anything has found each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scenarios.soak.canaries import blind, nodes, router, workflow
from scenarios.soak.canaries.sound import Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A planted bug; ``seeds_most`` is some three times what it took when this was written."""

    make: Callable[[int], Sound]
    seeds_most: int

    @property
    def text(self) -> str:
        """What is wrong, in a sentence."""
        return (self.make.__doc__ or "").partition("\n")[0]


CANARIES: Final[dict[str, Planted]] = {
    "ack before commit": Planted(make=nodes.AckBeforeCommit, seeds_most=60),
    "receipt before commit": Planted(make=nodes.ReceiptBeforeCommit, seeds_most=60),
    "no dedupe": Planted(make=nodes.NoDedupe, seeds_most=120),
    "dedupe without sender": Planted(make=nodes.DedupeWithoutSender, seeds_most=60),
    "one wrong recipient in 500": Planted(make=nodes.OneWrongRecipient, seeds_most=200),
    "resend forgets": Planted(make=nodes.ResendForgets, seeds_most=60),
    "sequence in memory": Planted(make=nodes.SequenceInMemory, seeds_most=60),
    "policy of the wrong time": Planted(make=nodes.PolicyOfTheWrongTime, seeds_most=60),
    "task forgotten": Planted(make=nodes.TaskForgotten, seeds_most=60),
    "memory between runs": Planted(make=nodes.MemoryBetweenRuns, seeds_most=60),
    "revocation only at publish": Planted(make=router.RevocationOnlyAtPublish, seeds_most=60),
    "feeds forgotten": Planted(make=router.FeedsForgotten, seeds_most=60),
    "un-acked forgotten": Planted(make=router.UnackedForgotten, seeds_most=60),
    "verdict once": Planted(make=router.VerdictOnce, seeds_most=60),
    "oldest evicted": Planted(make=router.OldestEvicted, seeds_most=60),
    "queued in another transaction": Planted(make=router.QueuedInAnotherTransaction, seeds_most=60),
    "leaf missing": Planted(make=router.LeafMissing, seeds_most=60),
    "checkpoint of another tree": Planted(make=router.CheckpointOfAnotherTree, seeds_most=60),
    "recall forgotten": Planted(make=router.RecallForgotten, seeds_most=60),
    "cut of everything": Planted(make=router.CutOfEverything, seeds_most=60),
    "bundle forgotten": Planted(make=router.BundleForgotten, seeds_most=60),
    "overdue untold": Planted(make=blind.OverdueUntold, seeds_most=150),
    "witness forgets": Planted(make=blind.WitnessForgets, seeds_most=300),
    "poison un-acked": Planted(make=blind.PoisonUnacked, seeds_most=400),
    "throttled unrecorded": Planted(make=blind.ThrottledUnrecorded, seeds_most=60),
    "grant without end": Planted(make=workflow.GrantWithoutEnd, seeds_most=300),
    "grant kept": Planted(make=workflow.GrantKept, seeds_most=300),
    "lapse unseen": Planted(make=workflow.LapseUnseen, seeds_most=300),
    "taint in memory": Planted(make=workflow.TaintInMemory, seeds_most=400),
    "signature counted twice": Planted(make=workflow.SignatureCountedTwice, seeds_most=300),
    "withdrawal unheard": Planted(make=workflow.WithdrawalUnheard, seeds_most=300),
    "answer to all": Planted(make=workflow.AnswerToAll, seeds_most=300),
}
