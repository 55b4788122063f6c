"""A play of a pack, read back: its record, and what the evaluation says of it."""

from dataclasses import dataclass
from pathlib import Path

from policy.community import Community
from scenarios.enrolment import enrol
from scenarios.evaluate.evaluation import Evaluation, evaluate
from scenarios.model import Pack
from scenarios.record import Event, read_record
from sealing.entropy import SystemEntropy


@dataclass(frozen=True)
class Play:
    """One play: the pack, where it is kept, its record, and what the evaluation says of it."""

    pack: Pack
    folder: Path
    events: tuple[Event, ...]
    evaluation: Evaluation

    def of(self, stage: str, source: str | None = None) -> list[Event]:
        """Return the events of a stage; of one source if it is named."""
        return [event for event in self.events if event.stage == stage and source in {None, event.source}]


def read_play(pack: Pack, folder: Path) -> Play:
    """Read a play from its folder and evaluate it by the community that its pack has at STARTEX."""
    events = read_record(folder / "record")
    community = Community.compile(enrol(pack, entropy=SystemEntropy()).bundle)
    return Play(pack, folder, events, evaluate(pack, events, community))
