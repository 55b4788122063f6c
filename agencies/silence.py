"""Silence procedures, the synchronous half: open one, object to one, and see what comes of one when its time is over.

Whoever opens one asks every full member of the mechanism at once. Silence is consent of who was asked in time alone:
a member whose receipt is not here at the deadline has not been silent but absent, and nothing is let go
(docs/spec/envelope.md, "Proposals").
"""

from typing import Final

from agencies.drafts import ProposalDraft, Why, WorkflowDraft, workflow_label
from agencies.notices import Notice
from agencies.outgoing import Moment, Outgoing, Released
from agencies.silence_table import Procedure, ProcedureState
from agencies.store import NodeStore
from schemas.codec import pack
from schemas.errors import SealError
from schemas.limits import PERMISSION_MS, PORTIONS_MAX, SILENCE_PROCEDURE_MS_MIN
from schemas.workflow import ObjectionContent, Permission, ReleaseTerms

_LOOKED_AT: Final = 64  # in one transaction; what is due beyond has the next turn of the disk


class Proposals(Outgoing):
    """What a node sends of silence procedures, as who opens one and as a member."""

    def members_asked(self, mechanism: str, moment: Moment) -> tuple[str, ...]:
        """Return everybody whose silence a proposal needs: the full members of its mechanism, this agency excepted.

        Raises:
            SealError: If there is none.
        """
        community, at_ms = self._core.community, moment.at_ms
        members = community.full_members(mechanism, at_ms) & community.active(at_ms)
        names = community.ids(members & ~community.bit(self._core.agency))
        if not names:
            msg = f"{mechanism} has no full member but {self._core.agency} that could object"
            raise SealError(msg, remedy="name a mechanism whose members are to be asked")
        return names

    def propose(self, draft: ProposalDraft, moment: Moment) -> Released:
        """Put a matter to all members of a mechanism.

        Raises:
            SealError: If a member cannot be asked, the time is too short, or the release would be refused all the same.
            StoreError: If the disk is full; then nobody was asked.
        """
        members = self.members_asked(draft.mechanism, moment)
        missing = self.missing_keys(members, at_ms=moment.at_ms)
        if missing:
            msg = f"{', '.join(missing)} cannot be asked: no box key is known"
            raise SealError(
                msg, remedy="open the procedure once their nodes have been linked; silence needs a question"
            )
        if draft.object_by < moment.at_ms + SILENCE_PROCEDURE_MS_MIN:
            msg = f"the members would have less than {SILENCE_PROCEDURE_MS_MIN // 60_000} minutes to object"
            raise SealError(msg, remedy="give them more time")
        terms = None if draft.message is None else self._terms(draft, draft.message, moment)
        sent = draft.sealed(terms, now_ms=moment.at_ms)
        label = workflow_label("proposal", lowest_level=self._core.lowest_level)._replace(mechanisms=(draft.mechanism,))
        with self._store.transaction():
            sealed = self._seal([(label, pack(sent.content))], sent, moment)
            bits = dict.fromkeys(members, sealed.bits([0]))
            self._put_out(sealed, bits, moment, with_blobs=True)
            procedure = Procedure(
                sealed.hid, self._core.agency, draft.mechanism, draft.subject, terms, members, moment.at_ms,
                draft.object_by, sealed.exp, "open",
            )  # fmt: skip
            self._store.silence.open(procedure)
            why = {"act": draft.why.act, "order": draft.why.order, "reason": draft.why.reason, "cause": draft.why.cause}
            self._write("intended", moment, **why, to=list(members), left_out={})
            self._write("proposed", moment, **why, members=list(members), **_fields(procedure))
            due_ms = self._store.next_due()
        return Released(hid=sealed.hid, audience=bits, left_out={}, due_ms=due_ms)

    def object_to(self, hid: bytes, why: Why, moment: Moment) -> Released:
        """Object to a proposal; its proposer is told, and it is stopped.

        Raises:
            SealError: If this agency is not asked, or the time for objections is over.
            StoreError: If the disk is full; then nothing was sent.
        """
        procedure = self._store.silence.find(hid)
        if procedure is None or procedure.state not in {"asked", "misput"} or moment.at_ms > procedure.object_by:
            msg = f"{hid.hex()[:16]} is no proposal that {self._core.agency} can object to now"
            raise SealError(msg, remedy="object to what was put to this agency, until the time that was named")
        content = ObjectionContent("EXERCISE", why.reason[:1_000] or "no reason was given")
        draft = WorkflowDraft(kind="objection", content=content, to=procedure.proposer, ref=hid, why=why)
        with self._store.transaction():
            released = self._send_workflow(draft, moment)
            self._store.silence.settle(hid, "answered")
            self._write("objected", moment, hid=hid.hex(), proposer=procedure.proposer, reason=why.reason)
        return released

    def _terms(self, draft: ProposalDraft, message: bytes, moment: Moment) -> ReleaseTerms:
        """Return what would be let go: all that the reader may have of a message but for the members' word."""
        everything = (1 << PORTIONS_MAX) - 1
        permission = Permission(
            *(draft.mechanism, message, everything, self._core.agency, draft.reader),
            begin=moment.at_ms,
            expires=draft.object_by + PERMISSION_MS,
        )
        bits, _ = self.grantable(message, draft.reader, moment, permissions=(permission,))
        if not bits:
            msg = f"{draft.reader} could be given nothing of {message.hex()[:16]}, whatever the members say"
            raise SealError(msg, remedy="see 'sandiwara explain' for the rule that stands against it")
        return ReleaseTerms(message, bits, draft.reader)


class SilenceWatch:
    """Finds procedures whose time is over, and says what has come of them; objects to what contradicts itself.

    Args:
        store: The node's database.
        proposals: Sends the objection.
    """

    def __init__(self, *, store: NodeStore, proposals: Proposals) -> None:
        self._store = store
        self._proposals = proposals

    def look(self, moment: Moment) -> tuple[Notice, ...]:
        """End what is over by now, at most a page of it; returns what to tell the desk.

        Raises:
            StoreError: If the disk is full; then nothing was told, and the next look finds it again.
        """
        misput = tuple(self._object(procedure, moment) for procedure in self._store.silence.misput(limit=_LOOKED_AT))
        procedures = self._store.silence.over(now_ms=moment.at_ms, limit=_LOOKED_AT)
        if not procedures:
            return misput
        with self._store.transaction():
            return (*misput, *(self._end(procedure, moment) for procedure in procedures))

    def _object(self, procedure: Procedure, moment: Moment) -> Notice:
        """Object to a proposal that contradicts itself: the router knows nothing of that, and would count silence."""
        why = Why(act="object", order="", reason="what it says inside is not what its header says", cause="")
        try:
            self._proposals.object_to(procedure.hid, why, moment)
        except SealError:
            # Its time is over, or its proposer has no key by now: there is nobody left to tell.
            with self._store.transaction():
                self._store.silence.settle(procedure.hid, "answered")
        return Notice(
            word="misput", at_ms=moment.at_ms, hid=procedure.hid, kind="proposal", readers=(procedure.proposer,),
            text=procedure.subject,
        )  # fmt: skip

    def _end(self, procedure: Procedure, moment: Moment) -> Notice:
        receipted = self._store.receipted_by(procedure.hid)
        absent = tuple(
            member for member in procedure.members if member not in receipted or receipted[member] > procedure.object_by
        )
        return end_procedure(self._store, procedure, "undelivered" if absent else "permitted", moment, absent=absent)


def end_procedure(
    store: NodeStore, procedure: Procedure, state: ProcedureState, moment: Moment, *, absent: tuple[str, ...] = ()
) -> Notice:
    """Note inside a transaction what has come of a procedure that was opened here; returns what to tell the desk."""
    store.silence.settle(procedure.hid, state)
    objectors = store.silence.objectors(procedure.hid)
    store.journal.write(
        "silence_over", at_ms=moment.at_ms, machine_ms=moment.machine_ms, outcome=state, objectors=list(objectors),
        absent=list(absent), waited_ms=moment.at_ms - procedure.opened, **_fields(procedure),
    )  # fmt: skip
    return Notice(
        word="no_objection" if state == "permitted" else "opposed",
        at_ms=moment.at_ms,
        hid=procedure.hid,
        kind="proposal",
        readers=objectors or absent or procedure.members,
        text=procedure.subject,
    )


def _fields(procedure: Procedure) -> dict[str, object]:
    terms = procedure.terms
    return {
        "hid": procedure.hid.hex(),
        "mechanism": procedure.mechanism,
        "subject": procedure.subject,
        "object_by_ms": procedure.object_by,
        "of": None if terms is None else terms.hid.hex(),
        "reader": None if terms is None else terms.reader,
        "bits": 0 if terms is None else terms.bits,
    }
