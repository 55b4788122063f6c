"""A node judges what arrives: who made it, is it fresh, is it for me, does it open, may I have it.

Pure: bytes, a number for the time and a memory to ask; out comes a judgement. The order of checks is that of
docs/spec/envelope.md. To the outside all failures look alike; the code is for the node's own log.
"""

from agencies.keyring import Keys
from agencies.state import Accepted, Duplicate, Judged, Misrelease, NodeState, Rejected
from policy.audience import audience_mask
from policy.community import Community
from policy.decide import decide
from policy.life_safety import topic_is_misused
from policy.members_first import of_grants
from policy.verdict import Action
from schemas.bundle import Bundle
from schemas.envelope import Wrap
from schemas.errors import Code, RemoteError
from schemas.limits import REPLAY_WINDOW_MESSAGES
from schemas.workflow import Grant
from sealing.directory import BoxDirectory, SignDirectory
from sealing.opening import OpenedPortion, my_wrap, open_portions, unwrap
from sealing.pairs import PairKeys
from sealing.received import Received, check_author, check_disclosures, check_times, read_envelope


class NodeCore:
    """Judges arrivals by one version of the community bundle."""

    def __init__(self, *, keys: Keys, bundle: Bundle) -> None:
        self.agency = keys.agency
        self.keys = keys
        self.boxes = BoxDirectory()
        self.pairs = PairKeys(keys.agency)
        self.install(bundle)

    def install(self, bundle: Bundle) -> None:
        """Judge by this bundle from now on.

        Raises:
            InputError: If it contradicts itself.
            RemoteError: KEY_WEAK if it holds a degenerate or shared key.
        """
        # Both are made before either counts: a bundle that fails half way must leave no half of it in force.
        community, signers = Community.compile(bundle), SignDirectory(bundle)
        self.community = community
        self.signers = signers
        self.bundle = bundle

    @property
    def lowest_level(self) -> str:
        """The lowest level of the community's lattice."""
        return self.bundle.levels[0]

    def judge(self, envelope: bytes, *, now_ms: int, state: NodeState) -> Judged:
        """Judge one arrival.

        Args:
            envelope: The bytes as they came.
            now_ms: Unix ms, one reading for the whole judgement.
            state: The node's memory.
        """
        try:
            received = read_envelope(envelope)
        except RemoteError as error:
            return Rejected(hid=None, originator=None, code=error.code, stage=error.stage)
        try:
            return self._judge(received, now_ms=now_ms, state=state)
        except RemoteError as error:
            return Rejected(hid=received.hid, originator=received.originator, code=error.code, stage=error.stage)

    def _judge(self, received: Received, *, now_ms: int, state: NodeState) -> Judged:
        check_author(received, signers=self.signers, arrived_at=now_ms)
        # "A router and a co-signer MUST refuse an envelope in which a place is neither disclosed nor the decoy."
        check_disclosures(received, every_place=self.agency in received.header.by[1:])
        wrap = my_wrap(received, me=self.agency)
        originator = received.originator
        highest = state.highest_seq(originator)
        before = state.seen(originator, wrap.seq)
        if before == received.hid:
            return Duplicate(hid=received.hid)
        check_times(received.header, now_ms=now_ms)
        self._check_reference(received, state)
        theirs = self.boxes.at_epoch(originator, wrap.from_epoch, now_ms=now_ms)
        mine = self.keys.at_epoch(wrap.to_epoch)
        keys = unwrap(received, wrap, pair_key=self.pairs.from_originator(mine, originator, theirs))
        # Only an opened wrap proves its number: before, a router could put another agency's good name in doubt.
        _check_sequence(received, wrap, before=before, highest=highest)
        opened = open_portions(received, keys)
        if topic_is_misused(received.header.kind, (portion.label.topic for portion in opened)):
            msg = f"a {received.header.kind} whose topic is that of another kind of message"
            raise RemoteError(Code.REFERENCE, msg)
        told = self._is_told(received, state)
        grants = state.grants(received.hid)
        permitted, misreleases = self._check_clearance(received, opened, told=told, grants=grants, now_ms=now_ms)
        return Accepted(
            hid=received.hid,
            header=received.header,
            originator=originator,
            seq=wrap.seq,
            bits=wrap.bits,
            portions=permitted,
            misreleases=misreleases,
            missing=max(0, wrap.seq - highest - 1),
            cosigned=tuple(
                name
                for name, signature in zip(received.header.by[1:], received.envelope.cosignatures, strict=True)
                if signature is not None
            ),
        )

    def _check_reference(self, received: Received, state: NodeState) -> None:
        """A correction or recall of somebody else's message has no effect here."""
        header = received.header
        held = state.held(header.ref) if header.ref is not None else None
        if header.kind in {"report", "recall"} and held is not None and held.originator != header.by[0]:
            msg = f"{header.by[0]} refers to a message that is not its own"
            raise RemoteError(Code.REFERENCE, msg)
        again = state.held(received.hid)
        # A recall by anybody else, kept since the message was not known here, is none.
        if again is not None and again.recalled and again.originator == header.by[0]:
            msg = "the message was recalled by its originator"
            raise RemoteError(Code.RECALLED, msg)

    @staticmethod
    def _is_told(received: Received, state: NodeState) -> bool:
        """Tell whether this is the override of a report of ours, by an agency that we gave it to."""
        header = received.header
        return header.kind == "override" and header.ref is not None and header.by[0] in state.offered_to(header.ref)

    def _check_clearance(
        self,
        received: Received,
        opened: tuple[OpenedPortion, ...],
        *,
        told: bool,
        grants: tuple[Grant, ...],
        now_ms: int,
    ) -> tuple[tuple[OpenedPortion, ...], tuple[Misrelease, ...]]:
        """Keep what this agency may have by its own reading of the policy, and name the rest.

        Policy is asked as of the sealing and as of now: the router decided somewhere in between.
        """
        position = self.community.position(self.agency)
        permitted: list[OpenedPortion] = []
        misreleases: list[Misrelease] = []
        for portion in opened:
            masks = (
                audience_mask(portion.label, originator=received.originator, at_ms=at_ms, community=self.community)
                for at_ms in (now_ms, received.header.ts)
            )
            others = ~self.community.bit(received.originator)
            # Of an override of its own report an agency may know, whatever the rules say, if it may be made at all.
            if position is not None and any(mask >> position & 1 or (told and mask & others) for mask in masks):
                permitted.append(portion)
                continue
            verdict = decide(
                portion.label,
                originator=received.originator,
                recipient=self.agency,
                action=Action.RELEASE,
                at_ms=now_ms,
                community=self.community,
                hid=received.hid,
                bit=portion.place,
                permissions=of_grants(portion.label, grants),
            )
            if verdict.permit:
                # A partner that holds its originator's word that the members were asked.
                permitted.append(portion)
                continue
            misreleases.append(Misrelease(place=portion.place, label=portion.label, rule=verdict.rule))
        return tuple(permitted), tuple(misreleases)


def _check_sequence(received: Received, wrap: Wrap, *, before: bytes | None, highest: int) -> None:
    """Prove that a number is used for one message only, and is not too old to remember.

    Raises:
        RemoteError: EQUIVOCATION if another message came under this number, SEQUENCE below the window.
    """
    if before is not None:
        msg = f"{received.originator} used sequence number {wrap.seq} for another message"
        raise RemoteError(Code.EQUIVOCATION, msg)
    if wrap.seq + REPLAY_WINDOW_MESSAGES <= highest:
        msg = f"sequence number {wrap.seq} of {received.originator} lies below the window"
        raise RemoteError(Code.SEQUENCE, msg)
