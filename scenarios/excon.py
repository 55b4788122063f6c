"""Exercise control: releases the injects, watches the branches, and writes down what it did.

The MSEL's rows are due at their times; a branch opens when its inject has been delivered and ends by its condition or
by its time, so that play can never hang.
"""

from collections.abc import Callable
from typing import Any, Final

from agencies.conditions import Condition, Sighting, find, times_of
from scenarios.casting import cast_condition
from scenarios.clock import ExerciseClock
from scenarios.model import Branch, Inject, Pack
from scenarios.record import Event
from schemas.report import Portion
from transport.clock import Clock


class Excon:
    """The control of one play.

    Args:
        pack: What is played.
        clock: Exercise time.
        machine_clock: Real time.
        deliver: Puts an inject's material on an agency's desk.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        clock: ExerciseClock,
        machine_clock: Clock,
        deliver: Callable[[str, Inject, tuple[Portion, ...]], None],
    ) -> None:
        self._pack = pack
        self._clock = clock
        self._machine_clock = machine_clock
        self._deliver = deliver
        self._injects = {inject.inject: inject for inject in pack.injects}
        self._conditions: dict[str, Condition] = {
            branch.branch: cast_condition(pack, branch.when) for branch in pack.branches
        }
        self._open: dict[str, Branch] = {}
        self._sightings: list[Sighting] = []
        self._looking = False
        self._machine_start_ms = machine_clock.now_ms()
        self.events: list[Event] = []
        self.released: dict[str, int] = {}  # inject ids, and when
        self.playing = False

    @property
    def machine_start_ms(self) -> int:
        """Real time at STARTEX, Unix ms."""
        return self._machine_start_ms

    def startex(self) -> None:
        """Begin play, and have every timed inject and ENDEX fall due."""
        self._machine_start_ms = self._machine_clock.now_ms()
        self.playing = True
        self._write("startex", pack=self._pack.header.pack, digest=self._pack.digest, seed=self._pack.header.seed)
        for inject in sorted(self._pack.injects, key=lambda item: (item.time_ms or 0, item.inject)):
            if inject.time_ms is not None:
                at_ms = self._pack.start_ms + inject.time_ms
                self._clock.at(at_ms, lambda inject=inject: self.release(inject))  # type: ignore[misc] # mypy cannot type a lambda's default
        self._clock.at(self._pack.start_ms + self._pack.duration_ms, self.endex)

    def endex(self, *, reason: str = "the exercise's time is over") -> None:
        """End play: nobody acts any more; what is under way still arrives, and counts as not observed."""
        if self.playing:
            self.playing = False
            self._write("endex", reason=reason)

    def release(self, inject: Inject) -> None:
        """Release an inject and put it on its desks."""
        if not self.playing or inject.inject in self.released:
            return
        self.released[inject.inject] = self._clock.now_ms()
        self._write("inject_released", inject=inject.inject, to=list(inject.to))
        material = tuple(Portion(item.label, item.content) for item in inject.material)
        passages = sorted({passage for portion in material for passage in portion.content.passages})
        for agency in inject.to:
            self._write("inject_delivered", inject=inject.inject, agency=agency, passages=passages)
            self._deliver(agency, inject, material)
        for branch in self._pack.branches:
            if branch.after == inject.inject:
                self._open_branch(branch)

    def notice(self, sighting: Sighting) -> None:
        """Take in something that happened at a desk, and look whether it settles a branch."""
        self._sightings.append(sighting)
        if not self._looking and self._open:
            # A step later, so that what settles a branch stands in every record before what follows from it, and a
            # branch's injects never reach a desk in the middle of its own act.
            self._looking = True
            self._clock.at(self._clock.now_ms() + 1, self._look)

    def _look(self) -> None:
        self._looking = False
        for branch in list(self._open.values()):
            causes = find(self._conditions[branch.branch], self._sightings, now_ms=self._clock.now_ms())
            if causes is not None:
                because = "; ".join(_in_words(cause) for cause in causes)
                self._take(branch, "then", because or "its time came", branch.then)

    def _open_branch(self, branch: Branch) -> None:
        self._open[branch.branch] = branch
        deadline = self._clock.now_ms() + branch.within_ms
        self._clock.at(self._clock.now_ms(), self._look)
        for at_ms in times_of(self._conditions[branch.branch]):
            if self._clock.now_ms() < at_ms <= deadline:
                self._clock.at(at_ms, self._look)
        self._clock.at(deadline, lambda: self._close_branch(branch))

    def _close_branch(self, branch: Branch) -> None:
        if branch.branch in self._open:
            minutes = branch.within_ms // 60_000
            self._take(branch, "otherwise", f"not within {minutes} min after {branch.after}", branch.otherwise)

    def _take(self, branch: Branch, outcome: str, because: str, injects: tuple[str, ...]) -> None:
        del self._open[branch.branch]
        if not self.playing:
            return
        self._write("branch_taken", branch=branch.branch, outcome=outcome, because=because, injects=list(injects))
        for inject in injects:
            self.release(self._injects[inject])

    def write(self, stage: str, **fields: Any) -> None:
        """Write something into EXCON's record."""
        self._write(stage, **fields)

    def _write(self, stage: str, **fields: Any) -> None:
        self.events.append(
            Event(
                source="excon",
                number=len(self.events) + 1,
                at_ms=self._clock.now_ms(),
                wall_ms=self._machine_clock.now_ms() - self._machine_start_ms,
                stage=stage,
                fields=fields,
            )
        )


_WORDS: Final[dict[str, str]] = {
    "inject_delivered": "inject {cause} reached {who}",
    "report_sent": "{who} released a report by order {order} ({cause})",
    "report_received": "{who} received a report of {sender} ({cause})",
    "correction_received": "{who} received a correction of {sender} ({cause})",
    "request_received": "{who} received a request of {sender} ({cause})",
    "decision_received": "{who} received the decision of {sender} ({cause})",
    "recall_received": "{sender} took a message back from {who} ({cause})",
    "tainted": "a recall by {sender} taints what {who} made of it ({cause})",
    "request_lapsed": "the request between {who} and {sender} lapsed undecided ({cause})",
    "rfi_received": "{who} was asked by {sender} ({cause})",
    "answer_received": "{who} received an answer of {sender} ({cause})",
    "deconflict_received": "{who} was asked by {sender} for hits ({cause})",
    "hit": "{sender} holds what {who} asked for ({cause})",
    "no_hit": "{sender} holds nothing that {who} asked for ({cause})",
    "coord_received": "{who} heard of {sender} about something to be done ({cause})",
    "unanswered": "{sender} did not answer {who} in time ({cause})",
    "opened": "{who} read a message of {sender} ({cause})",
    "acknowledged": "{who} acknowledged a message of {sender} ({cause})",
    "rule_denied": "a rule kept order {order} of {who} from a reader",
}


def _in_words(cause: Sighting) -> str:
    """Say what settled a branch, for people; messages by the beginning of their ids."""
    words = _WORDS.get(cause.word, "{who}: {word}")
    return words.format(who=cause.who, word=cause.word, sender=cause.sender, order=cause.order, cause=cause.cause[:8])
