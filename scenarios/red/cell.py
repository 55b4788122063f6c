"""The red cell: carries out what a pack has its adversary try, and writes down what it did and what it came to know.

It has an agency of its own with credentials, keys and rights, lines that it holds, and keys that it stole; all of it
is exercise material, handed out by EXCON. Everything that it sends goes through the connections of the play and is
judged by the nodes and the router that run in earnest; it looks into no node, no database and no key but its loot.
"""

from functools import partial
from typing import assert_never

from agencies.conditions import Sighting, find, times_of
from agencies.keyring import Keys
from scenarios.casting import cast_condition
from scenarios.clock import ExerciseClock
from scenarios.enrolment import Community
from scenarios.excon import Excon
from scenarios.model import Pack, RedAct
from scenarios.red.forging import Forger, cuts_of, last_numbers, newest_report
from scenarios.red.line import Line
from scenarios.red.lying import Liar
from scenarios.red.theft import StolenBox
from scenarios.region import Region
from scenarios.shaping import LinkShaper
from schemas.errors import LinkError, SealError
from schemas.frames import Ack, EnvelopeMessage, write_frame
from schemas.limits import FRAME_MESSAGES_MAX, SEQUENCE_SKIP
from sealing.directory import SignDirectory
from sealing.entropy import Entropy
from transport.seeded import stream


class RedCell:
    """What an adversary does in one play.

    Args:
        pack: With its acts.
        community: Whose keys may be stolen.
        clock: Exercise time.
        excon: Whose record it writes into.
        shapers: Everybody's links; each gets a line on it.
        entropy: Where its own keys and salts come from.
    """

    def __init__(
        self,
        pack: Pack,
        community: Community,
        *,
        clock: ExerciseClock,
        excon: Excon,
        shapers: dict[str, LinkShaper],
        entropy: Entropy,
    ) -> None:
        self._pack = pack
        self._community = community
        self._clock = clock
        self._excon = excon
        self._shapers = shapers
        self._entropy = entropy
        self._lines = {agency: Line(agency, now_ms=clock.now_ms) for agency in shapers}
        for agency, shaper in shapers.items():
            shaper.tap = self._lines[agency]
        self._region: Region | None = None
        self._sightings: list[Sighting] = []
        self._open: dict[str, RedAct] = {}
        self._opened: set[str] = set()
        self._conditions = {act.act: cast_condition(pack, act.when) for act in pack.red if act.when is not None}
        self._watching: dict[str, tuple[RedAct, int]] = {}  # and since when, Unix ms

    # When.

    def begin(self, region: Region) -> None:
        """Have every act fall due, and what is watched be told at ENDEX."""
        self._region = region
        for act in self._pack.red:
            if act.time_ms is not None:
                self._clock.at(self._pack.start_ms + act.time_ms, partial(self._do, act))
            if act.rekeyed_ms is not None:
                self._clock.at(self._pack.start_ms + act.rekeyed_ms, partial(self._rekey, act))
        self._clock.at(self._pack.start_ms + self._pack.duration_ms, self._tell_all)

    def notice(self, sighting: Sighting) -> None:
        """Take in something that happened at a desk, and look whether an act waited for it."""
        self._sightings.append(sighting)
        if sighting.word == "inject_delivered":
            for act in self._pack.red:
                if act.when is not None and act.after == sighting.cause and act.act not in self._opened:
                    self._open_act(act)
        if self._open:
            # A step later, so that what red waited for stands in every record before what it does about it.
            self._clock.at(self._clock.now_ms() + 1, self._look)

    def _open_act(self, act: RedAct) -> None:
        self._open[act.act] = act
        self._opened.add(act.act)
        now_ms = self._clock.now_ms()
        for at_ms in times_of(self._conditions[act.act]):
            if now_ms < at_ms <= now_ms + act.within_ms:
                self._clock.at(at_ms, self._look)
        self._clock.at(now_ms + act.within_ms, partial(self._close, act))

    async def _look(self) -> None:
        for act in list(self._open.values()):
            condition = self._conditions[act.act]
            if find(condition, self._sightings, now_ms=self._clock.now_ms()) is not None:
                del self._open[act.act]
                await self._do(act)

    def _close(self, act: RedAct) -> None:
        if self._open.pop(act.act, None) is not None:
            minutes = act.within_ms // 60_000
            self._leave(act, f"what it waited for did not come within {minutes} min after {act.after}")

    # What.

    async def _do(self, act: RedAct) -> None:
        if not self._excon.playing:
            return
        try:
            await self._carry_out(act)
        except (LinkError, SealError) as error:
            self._leave(act, str(error))

    async def _carry_out(self, act: RedAct) -> None:
        match act.kind:
            case "copied-header":
                await self._copy_header(act)
            case "replay":
                await self._replay(act)
            case "flood":
                await self._flood(act)
            case "stolen-box-key":
                self._steal_box(act)
            case "stolen-sign-key":
                await self._sign_as(act)
            case "traffic-watch":
                self._watching[act.act] = (act, self._clock.now_ms())
                self._tell(act, tried=f"watched the lines of {', '.join(act.to)} from outside")
                if act.lasts_ms is not None:
                    self._clock.at(self._clock.now_ms() + act.lasts_ms, partial(self._tell_watched, act.act))
            case "drop" | "substitute" | "misroute":
                self._lie(act)
            case _:
                assert_never(act.kind)

    async def _copy_header(self, act: RedAct) -> None:
        """Write a report in the victim's name, under the signature of one that the victim did write."""
        victim = act.victim or ""
        found = newest_report(self._lines[victim].envelopes)
        if found is None:
            self._leave(act, f"{victim} had sent no report whose header could be copied")
            return
        _, copied = found
        node = self._running.nodes[act.who]
        readers = sorted({participant.agency for participant in self._pack.participants} - {act.who, victim})
        forger = Forger(name=victim, keys=node.core.keys, boxes=node.core.boxes, first_seq={})
        forged = forger.forge(
            act.material,
            readers,
            now_ms=self._clock.now_ms(),
            bundle_version=copied.header.bv,
            entropy=self._entropy,
            signature=copied.envelope.signature,
        )
        self._tell(
            act,
            tried=f"sent a report in the name of {victim}, with the header and signature of one that {victim} sent",
            hids=[forged.hid.hex()],
        )
        await self._shapers[act.line].slip_up(write_frame((EnvelopeMessage("envelope", forged.envelope),)))
        self._put_at_doors(act, forged.cuts)

    async def _replay(self, act: RedAct) -> None:
        victim = act.victim or ""
        found = newest_report(self._lines[victim].envelopes)
        if found is None:
            self._leave(act, f"{victim} had sent no report that could be sent again")
            return
        envelope, received = found
        self._tell(act, tried=f"sent a report of {victim} once more, as it was captured", hids=[received.hid.hex()])
        await self._shapers[act.line].slip_up(write_frame((EnvelopeMessage("envelope", envelope),)))
        cuts = cuts_of(envelope)
        whatever = next(iter(cuts.values()))
        self._put_at_doors(act, {agency: cuts.get(agency, whatever) for agency in act.to})

    async def _flood(self, act: RedAct) -> None:
        self._tell(act, tried=f"flooded the router with up to {act.messages} messages at once")
        for first in range(0, act.messages, FRAME_MESSAGES_MAX):
            frame = write_frame((Ack("ack", 0),) * min(FRAME_MESSAGES_MAX, act.messages - first))
            try:
                await self._shapers[act.line].slip_up(frame)
            except LinkError:
                return  # the router took no more, and has put down why

    def _steal_box(self, act: RedAct) -> None:
        victim = act.victim or ""
        line = self._lines[victim]
        stolen = StolenBox(self._community.rings[victim], SignDirectory(self._community.bundle))
        self._tell(act, tried=f"copied the box keys of {victim}, and reads what is sealed for it")
        read = partial(self._read, act, stolen, line)
        for cut in line.cuts:
            read(cut)
        line.readers.append(read)

    def _read(self, act: RedAct, stolen: StolenBox, line: Line, cut: bytes) -> None:
        now_ms = self._clock.now_ms()
        stolen.hear(line.announcements, now_ms=now_ms)
        tried = stolen.attempt(cut, now_ms=now_ms)
        if tried.kind == "receipt":
            return
        if tried.code:
            self._excon.write("red_shut", act=act.act, hid=tried.hid.hex(), kind=tried.kind, code=tried.code)
        else:
            self._excon.write(
                "red_read",
                act=act.act,
                hid=tried.hid.hex(),
                kind=tried.kind,
                originator=tried.originator,
                passages=sorted(tried.passages),
            )

    async def _rekey(self, act: RedAct) -> None:
        """The theft was found out: its owner makes a new box key, as after any break-in."""
        if not self._excon.playing or act.victim is None:
            return
        changed = await self._running.nodes[act.victim].change_keys()
        self._excon.write("red_rekeyed", act=act.act, agency=act.victim, changed=changed)

    async def _sign_as(self, act: RedAct) -> None:
        """Release a report with all the victim's keys, over the victim's line."""
        victim = act.victim or ""
        node = self._running.nodes[act.who]
        used = last_numbers(self._lines[victim].envelopes)
        forger = Forger(
            name=victim,
            keys=Keys(self._community.rings[victim]),
            boxes=node.core.boxes,
            # Numbers that are used twice are refused; the thief cannot know the next one, so it leaves some out.
            first_seq={reader: used.get(reader, 0) + SEQUENCE_SKIP for reader in act.to},
        )
        forged = forger.forge(
            act.material,
            act.to,
            now_ms=self._clock.now_ms(),
            bundle_version=node.core.bundle.version,
            entropy=self._entropy,
        )
        self._tell(act, tried=f"released a report with the stolen keys of {victim}", hids=[forged.hid.hex()])
        await self._shapers[victim].slip_up(write_frame((EnvelopeMessage("envelope", forged.envelope),)))

    def _put_at_doors(self, act: RedAct, cuts: dict[str, bytes]) -> None:
        for agency in sorted(set(act.to) & cuts.keys()):
            self._slip(agency, cuts[agency])

    def _slip(self, agency: str, cut: bytes) -> None:
        self._shapers[agency].slip_down(self._lines[agency].slip(cut))

    # A router that lies.

    def _lie(self, act: RedAct) -> None:
        victim = act.victim or ""
        words = {
            "drop": f"had the router keep back what is for {victim}",
            "substitute": f"had the router change what is for {victim}",
            "misroute": f"had the router give {', '.join(act.to)} what is for {victim}",
        }
        self._tell(act, tried=words[act.kind])
        end_ms = None if act.lasts_ms is None else self._clock.now_ms() + act.lasts_ms
        chance = stream(self._pack.header.seed, f"red {act.act}")
        liar = Liar(
            act, now_ms=self._clock.now_ms, end_ms=end_ms, slip=self._slip, write=self._excon.write, chance=chance
        )
        self._lines[victim].lies.append(liar.pass_on)

    # What it came to.

    def _tell_all(self) -> None:
        for act in list(self._watching):
            self._tell_watched(act)

    def _tell_watched(self, name: str) -> None:
        watched = self._watching.pop(name, None)
        if watched is None or not self._excon.playing:
            return
        act, since_ms = watched
        for agency in act.to:
            line = self._lines[agency]
            self._excon.write(
                "red_watched",
                act=name,
                agency=agency,
                sent_ms=self._times(line.sent_ms, since_ms),
                given_ms=self._times(line.given_ms, since_ms),
            )

    def _times(self, seen: set[int], since_ms: int) -> list[int]:
        """Return the times in ms since STARTEX, from when watching began."""
        return [at_ms - self._pack.start_ms for at_ms in sorted(seen) if at_ms >= since_ms]

    def _tell(self, act: RedAct, *, tried: str, hids: list[str] | None = None) -> None:
        self._excon.write(
            "red_tried",
            act=act.act,
            kind=act.kind,
            who=act.who,
            victim=act.victim,
            line=act.line,
            to=list(act.to),
            tried=tried,
            hids=hids or [],
        )

    def _leave(self, act: RedAct, because: str) -> None:
        self._excon.write("red_left", act=act.act, kind=act.kind, because=because)

    @property
    def _running(self) -> Region:
        assert self._region is not None
        return self._region
