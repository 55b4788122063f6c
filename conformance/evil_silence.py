"""Layer L4, silence procedures (H17): what a partner may not have, who has to be asked, who may object and when."""

from typing import Any

from conformance.evil_audiences import L4
from conformance.evil_book import Made, Row, enter_rows, envelope, read, route, sealed, world
from schemas.codec import pack
from schemas.errors import Code
from schemas.label import Label
from schemas.limits import PERMISSION_MS, SILENCE_PROCEDURE_MS_MIN
from schemas.workflow import ObjectionContent, ProposalContent, ReleaseTerms
from sealing.terms import terms_hash

_HOUR_MS = 3_600_000
_OVER = world.NOW + _HOUR_MS + 1  # the first time at which silence has become consent
_FIRST = world.LABEL._replace(tlp="GREEN", caveats=("MEMBERS-FIRST:our-eyes",))
_ASKING = Label("AMBER", "EX-UNCLAS", "workflow.proposal", mechanisms=("our-eyes",), precedence="PRIORITY")
_OBJECTING = _ASKING._replace(topic="workflow.objection", mechanisms=())
_OBJECTION = pack(ObjectionContent("EXERCISE", "not while the boats are out"))

Earlier = dict[str, Any]


def _sent(sender: str, made: bytes, *, now: int = world.NOW) -> Earlier:
    return {"sender": sender, "envelope": made.hex(), "now": now}


def _product(*readers: str, again: bool = False, label: Label = _FIRST) -> tuple[Any, bytes]:
    """Bravo writes for members first; alpha is the one other member."""
    return sealed(
        name="for members first", by=("bravo",), labels=(label,), exp=world.NOW + 5 * world.DAY_MS,
        readers=tuple((reader, (0,)) for reader in readers), with_blobs=not again,
    )  # fmt: skip


def _terms(**changes: Any) -> ReleaseTerms:
    message, _ = _product("alpha")
    return ReleaseTerms(message.hid, message.bits(0), "delta")._replace(**changes)


def _plan(by: str = "bravo", *, terms: ReleaseTerms | None = None, **changes: Any) -> dict[str, Any]:
    terms = _terms() if terms is None else terms
    content = ProposalContent("EXERCISE", "It goes to delta", "it flies there", terms, world.NOW + _HOUR_MS)
    fields: dict[str, Any] = {"name": "proposal", "kind": "proposal", "by": (by,), "ref": terms_hash(terms)}
    fields |= {"labels": (_ASKING,), "contents": (pack(content),), "readers": (("alpha", (0,)),)}
    return fields | {"exp": world.NOW + _HOUR_MS + PERMISSION_MS} | changes


def _objection(by: str = "alpha", **changes: Any) -> bytes:
    message, _ = sealed(**_plan())
    fields: dict[str, Any] = {"name": "objection", "kind": "objection", "by": (by,), "ref": message.hid}
    fields |= {"labels": (_OBJECTING,), "contents": (_OBJECTION,), "readers": (("bravo", (0,)),)}
    return envelope(**(fields | changes))


def _let_go(*between: Earlier, now: int = _OVER, reader: str = "delta", **plan: Any) -> Made:
    """Let bravo give delta what it has put to alpha."""
    earlier = (_sent("bravo", _product("alpha")[1]), _sent("bravo", envelope(**_plan(**plan))), *between)
    _, again = _product(reader, again=True)
    return Made(again, {"sender": "bravo", "now": now, "earlier": list(earlier)})


@L4.accepts("route", "RTR-063", "NTK-063", why="control")
def let_go_to_a_partner() -> Made:
    """No member has objected by the deadline, and exactly what was proposed goes to the partner."""
    return _let_go()


@L4.accepts("route", "RTR-063", base="let_go_to_a_partner", mutation="the last moment", why="control")
def let_go_at_the_end() -> Made:
    """The permission still runs at its last moment."""
    return _let_go(now=world.NOW + _HOUR_MS + PERMISSION_MS)


@L4.accepts("route", "RTR-058", "RTR-059", why="control")
def proposal_to_the_members() -> Made:
    """A proposal to every other full member, with as little time as there may be."""
    short = world.NOW + SILENCE_PROCEDURE_MS_MIN + PERMISSION_MS
    return route(envelope(**_plan(exp=short)), sender="bravo")


@L4.accepts("route", "RTR-060", "RTR-061", "RTR-062", why="control")
def objection_at_the_deadline() -> Made:
    """At the very time that was named an objection is in time."""
    earlier = [_sent("bravo", envelope(**_plan()))]
    return Made(_objection(), {"sender": "alpha", "now": world.NOW + _HOUR_MS, "earlier": earlier})


@L4.accepts("read", "ENV-045", why="control")
def proposal_read_by_a_member() -> Made:
    """A member opens what it is asked."""
    plan = _plan()
    return read(envelope(**plan), me="alpha", plaintexts=plan["contents"])


def _rows_of_releases() -> tuple[Row, ...]:
    first = "members would learn from a partner what they had not been asked about"
    silent = "a member that could still object has not consented"
    other = "silence about one thing would be taken for consent to another"
    return (
        ("members_first_to_a_partner", Code.AUDIENCE, "NTK-063", "A partner gets it with the members.", first, None,
         lambda: route(_product("alpha", "delta")[1], sender="bravo")),
        ("let_go_at_the_deadline", Code.AUDIENCE, "RTR-063", "The release comes at the deadline itself.", silent, None,
         lambda: _let_go(now=_OVER - 1)),
        ("let_go_too_late", Code.AUDIENCE, "RTR-063", "The permission is over.", other, None,
         lambda: _let_go(now=world.NOW + _HOUR_MS + PERMISSION_MS + 1)),
        ("let_go_after_an_objection", Code.AUDIENCE, "RTR-063", "Alpha has objected in time.", silent, None,
         lambda: _let_go(_sent("alpha", _objection(), now=world.NOW + _HOUR_MS))),
        ("let_go_of_other_portions", Code.AUDIENCE, "RTR-063", "Other portions were proposed.", other, None,
         lambda: _let_go(terms=_terms(bits=_terms().bits ^ 0b11))),
        ("let_go_of_another_message", Code.AUDIENCE, "RTR-063", "Another message was proposed.", other, None,
         lambda: _let_go(terms=_terms(hid=bytes(32)))),
        ("let_go_to_another_partner", Code.AUDIENCE, "RTR-063", "Another reader was proposed.", other, None,
         lambda: _let_go(terms=_terms(reader="golf"))),
        ("let_go_by_anothers_proposal", Code.AUDIENCE, "RTR-063", "Alpha has put it to nobody but itself.", other, None,
         lambda: Made(
             _product("delta", again=True)[1],
             {"sender": "bravo", "now": _OVER, "earlier": [
                 _sent("bravo", _product("alpha")[1]),
                 _sent("charlie", envelope(**_plan("charlie"))),
             ]},
         )),
        ("let_go_against_another_rule", Code.AUDIENCE, "NTK-064", "What is AMBER+STRICT goes to no partner at all.",
         "members cannot permit what the community forbids", None,
         _against_the_rules),
    )  # fmt: skip


def _against_the_rules() -> Made:
    strict = _FIRST._replace(tlp="AMBER+STRICT")
    message, first = _product("alpha", label=strict)
    terms = ReleaseTerms(message.hid, message.bits(0), "delta")
    earlier = [_sent("bravo", first), _sent("bravo", envelope(**_plan(terms=terms)))]
    return Made(_product("delta", again=True, label=strict)[1], {"sender": "bravo", "now": _OVER, "earlier": earlier})


def _rows_of_proposals() -> tuple[Row, ...]:
    asked = "what a member was not asked it cannot be silent about"
    short = world.NOW + SILENCE_PROCEDURE_MS_MIN + PERMISSION_MS - 1
    pool = _ASKING._replace(mechanisms=("sea-pool",))
    both = _ASKING._replace(mechanisms=("life-safety.sar", "our-eyes"))

    def proposed(**changes: Any) -> Made:
        return route(envelope(**_plan(**changes)), sender=changes.get("by", "bravo"))

    return (
        ("proposal_of_two_portions", Code.REFERENCE, "RTR-058", "A second portion.", asked, None,
         lambda: proposed(labels=(_ASKING, _ASKING), contents=None)),
        ("proposal_among_nobody", Code.REFERENCE, "RTR-058", "No mechanism.", asked, None,
         lambda: proposed(labels=(_ASKING._replace(mechanisms=()),))),
        ("proposal_among_two", Code.REFERENCE, "RTR-058", "Two mechanisms.", asked, None,
         lambda: proposed(labels=(both,))),
        ("proposal_in_haste", Code.REFERENCE, "RTR-058", "One millisecond less than there must be.", asked, None,
         lambda: proposed(exp=short)),
        ("proposal_that_leaves_a_member_out", Code.AUDIENCE, "RTR-059", "Charlie, a member, is not asked.", asked, None,
         lambda: proposed(labels=(pool,), readers=(("bravo", (0,)),), by="alpha")),
        ("proposal_to_a_stranger", Code.AUDIENCE, "NTK-024", "Golf is no member.",
         "whoever is asked learns what is to be let go", None,
         lambda: proposed(readers=(("alpha", (0,)), ("golf", (0,))))),
    )  # fmt: skip


def _rows_of_objections() -> tuple[Row, ...]:
    proposal = _sent("bravo", envelope(**_plan()))
    stranger = "anybody could stop what the members agree on"

    def objected(made: bytes, sender: str = "alpha", now: int = world.NOW, *, known: bool = True) -> Made:
        return Made(made, {"sender": sender, "now": now, "earlier": [proposal] if known else []})

    return (
        ("objection_to_the_unknown", Code.REFERENCE, "RTR-060", "The proposal was never sent.", stranger, None,
         lambda: objected(_objection(), known=False)),
        ("objection_to_nothing", Code.REFERENCE, "RTR-060", "It names no proposal.", stranger, None,
         lambda: objected(_objection(ref=None))),
        ("objection_by_who_was_not_asked", Code.REFERENCE, "RTR-060", "Golf was not asked.", stranger, "Existence",
         lambda: objected(_objection("golf"), "golf")),
        ("objection_too_late", Code.STALE, "RTR-061", "A millisecond after the deadline.",
         "what was let go could be called back for ever", None, lambda: objected(_objection(), now=_OVER)),
        ("objection_to_others", Code.AUDIENCE, "RTR-062", "Golf is told too.",
         "who objected is between it and the proposer", None,
         lambda: objected(_objection(readers=(("bravo", (0,)), ("golf", (0,)))))),
    )  # fmt: skip


enter_rows(L4, _rows_of_releases(), op="route", base="let_go_to_a_partner")
enter_rows(L4, _rows_of_proposals(), op="route", base="proposal_to_the_members")
enter_rows(L4, _rows_of_objections(), op="route", base="objection_at_the_deadline")
