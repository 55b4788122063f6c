"""What arrives of silence procedures: proposals in which this agency is asked, and objections to its own.

Takes part in the transaction of the arrival (agencies/incoming.py). What a proposal says inside must be what its
header and label say to the router, or the members would be silent about one thing and the router count it for another.
"""

from agencies.notices import Notice
from agencies.outgoing import Moment
from agencies.silence import end_procedure
from agencies.silence_table import Procedure
from agencies.state import Accepted
from agencies.store import NodeStore
from schemas.errors import Code, RemoteError
from schemas.label import Label
from schemas.limits import PERMISSION_MS
from schemas.workflow import ObjectionContent, ProposalContent
from sealing.terms import terms_hash


class SilenceIntake:
    """Takes up proposals and objections.

    Args:
        store: The node's database.
    """

    def __init__(self, *, store: NodeStore) -> None:
        self._store = store

    def take(self, accepted: Accepted, moment: Moment) -> tuple[Notice, ...]:
        """Take up a message if it is one of the two; returns what to tell the desk beside it.

        Raises:
            RemoteError: CONTENT if a proposal says one thing inside and another outside, once it is noted that this
                agency has to object; REFERENCE if an objection is to nothing that its sender was asked here.
        """
        for portion in accepted.portions:
            match portion.content:
                case ProposalContent() as content:
                    self._asked(accepted, content, portion.label, moment)
                case ObjectionContent() as content:
                    return self._objected(accepted, content, moment)
                case _:
                    continue
        return ()

    def _asked(self, accepted: Accepted, content: ProposalContent, label: Label, moment: Moment) -> None:
        header, terms = accepted.header, content.release
        # "A member MUST object to a proposal whose terms or deadline are not those of its header."
        is_sound = (
            header.ref == (None if terms is None else terms_hash(terms))
            and header.exp == content.object_by + PERMISSION_MS
        )
        procedure = Procedure(
            accepted.hid, accepted.originator, ", ".join(label.mechanisms), content.subject, terms, (), moment.at_ms,
            # By the header, as the router reckons: until then an objection is in time.
            header.exp - PERMISSION_MS, header.exp, "asked" if is_sound else "misput",
        )  # fmt: skip
        self._store.silence.open(procedure)
        if not is_sound:
            msg = f"a proposal of {accepted.originator} says one thing to its members and another to the router"
            raise RemoteError(Code.CONTENT, msg)

    def _objected(self, accepted: Accepted, content: ObjectionContent, moment: Moment) -> tuple[Notice, ...]:
        hid, member = accepted.header.ref, accepted.originator
        procedure = None if hid is None else self._store.silence.find(hid)
        if procedure is None or member not in procedure.members:
            msg = f"{member} objects to nothing that it was asked here"
            raise RemoteError(Code.REFERENCE, msg)
        if not self._store.silence.keep_objection(procedure.hid, member):
            return ()
        self._store.journal.write(
            "objection_received", at_ms=moment.at_ms, machine_ms=moment.machine_ms, hid=procedure.hid.hex(),
            member=member, reason=content.reason,
        )  # fmt: skip
        # One objection stops it. The router admitted it in time, however late it came here.
        return () if procedure.state == "opposed" else (end_procedure(self._store, procedure, "opposed", moment),)
