"""What red tried: each act of the adversary, what noticed it, who, and after how long; or nobody, and why not.

EXCON's record says what was done and which messages were used; whether somebody noticed is read off the records of
the router and the nodes alone, as an analyst would who knows nothing of the act but its messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from scenarios.evaluate.history import EXCON, ROUTER, History, Moment
from scenarios.evaluate.reconcile import Reconciliation
from scenarios.model import Pack, RedAct

RECORDS: Final = "records"  # those of the router and the nodes, when they are compared after ENDEX
_SAME_MS: Final = 10_000  # a watcher takes what comes down within ten seconds for what has just gone up
_WHY_NOT: Final[dict[str, str]] = {
    "copied-header": "no router and no node has put down that it was refused",
    "replay": "the router knew it, gave its verdict once more and delivered nothing; nothing came of it",
    "flood": "it stayed within what one agency may send",
    "stolen-box-key": "who copies a key and only reads leaves no trace; what it can read ends with that key",
    "stolen-sign-key": "every check held: with all keys of an agency its messages cannot be told from true ones",
    "traffic-watch": "who only watches leaves no trace",
    "drop": "no receipt had fallen due by ENDEX",
    "substitute": "nothing was delivered on that line meanwhile",
    "misroute": "nothing was delivered on that line meanwhile",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Somebody's record tells of an act: how, by which code if there is one, and how long after it."""

    by: str
    how: str
    code: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far times alone gave away who sent to whom: of so many reports, so many audiences guessed exactly."""

    reports: int
    guessed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedTry:
    """One act; ``at_ms`` is None if it was not done, and ``tried`` then says why not.

    Attributes:
        expected: Who should have noticed; ``overlooked`` who of them did not.
        unnoticed: Why nobody noticed; empty where somebody did.
        taken_in_by: Agencies that took a false message for true, or a message twice.
        read: Messages that red could read, and ``shut`` those that it could not.
        learned: The facts that it read.
    """

    act: str
    kind: str
    who: str
    victim: str | None
    at_ms: int | None
    tried: str
    why: str
    hids: tuple[str, ...]
    noticed: tuple[Noticed, ...]
    unnoticed: str
    expected: tuple[str, ...]
    overlooked: tuple[str, ...]
    taken_in_by: tuple[str, ...]
    read: tuple[str, ...]
    shut: tuple[str, ...]
    learned: tuple[str, ...]
    told: Told | None


def list_red(pack: Pack, history: History, reconciliation: Reconciliation) -> tuple[RedTry, ...]:
    """Set each act of red beside what became of it."""
    tried = {moment.text("act"): moment for moment in history.of_stage("red_tried", source=EXCON)}
    left = {moment.text("act"): moment for moment in history.of_stage("red_left", source=EXCON)}
    found = []
    for act in pack.red:
        # What fails on the way is written as tried first, and as left then: it was done as far as the line let it.
        if act.act in tried:
            found.append(_judge(act, tried[act.act], pack, history, reconciliation))
        else:
            found.append(_not_done(act, left.get(act.act)))
    return tuple(found)


def _not_done(act: RedAct, left: Moment | None) -> RedTry:
    because = left.text("because") if left is not None else "its time had not come by ENDEX"
    return RedTry(
        act=act.act, kind=act.kind, who=act.who, victim=act.victim, at_ms=None, tried=f"not done: {because}",
        why=act.why, hids=(), noticed=(), unnoticed="", expected=act.noticed_by, overlooked=(), taken_in_by=(),
        read=(), shut=(), learned=(), told=None,
    )  # fmt: skip


def _judge(act: RedAct, tried: Moment, pack: Pack, history: History, reconciliation: Reconciliation) -> RedTry:
    hids = tuple(str(hid) for hid in tried.fields.get("hids") or ())
    hids += tuple(moment.text("hid") for moment in _of_act("red_lied", act, history))
    signals = list(_signals(act, tried, frozenset(hids), history))
    # What two records tell differently comes out after ENDEX, when they are laid side by side.
    signals += [
        Noticed(by=RECORDS, how=item.text, code="", after_ms=history.end_ms - tried.at_ms)
        for item in reconciliation.unexplained
        if item.hid in hids
    ]
    noticed = _first_of_each(signals)
    read = list(_of_act("red_read", act, history))
    facts = {pack.passage_facts.get(str(each)) for moment in read for each in moment.fields.get("passages") or ()}
    seen_by = {signal.by for signal in noticed}
    return RedTry(
        act=act.act,
        kind=act.kind,
        who=act.who,
        victim=act.victim,
        at_ms=tried.at_ms,
        tried=tried.text("tried"),
        why=act.why,
        hids=tuple(dict.fromkeys(hids)),
        noticed=noticed,
        unnoticed="" if noticed else _WHY_NOT[act.kind],
        expected=act.noticed_by,
        overlooked=tuple(who for who in act.noticed_by if who not in seen_by),
        taken_in_by=_taken_in_by(act, tried, frozenset(hids), history),
        read=tuple(dict.fromkeys(moment.text("hid") for moment in read)),
        shut=tuple(dict.fromkeys(moment.text("hid") for moment in _of_act("red_shut", act, history))),
        learned=tuple(sorted(fact for fact in facts if fact is not None)),
        told=_told(act, history) if act.kind == "traffic-watch" else None,
    )


def _of_act(stage: str, act: RedAct, history: History) -> Iterator[Moment]:
    return (moment for moment in history.of_stage(stage, source=EXCON) if moment.text("act") == act.act)


# Who noticed.


def _signals(act: RedAct, tried: Moment, hids: frozenset[str], history: History) -> Iterator[Noticed]:
    def noticed(moment: Moment, how: str) -> Noticed:
        return Noticed(by=moment.source, how=how, code=moment.text("code"), after_ms=moment.at_ms - tried.at_ms)

    since = [moment for moment in history.moments if moment.at_ms >= tried.at_ms]
    for moment in since:
        is_its = moment.text("hid") in hids
        match moment.stage:
            case "refused" if moment.source == ROUTER and is_its:
                yield noticed(moment, "refused it, and put it down in its log")
            case "refused" if moment.source == ROUTER and act.kind == "flood" and _is_quota(moment, act):
                yield noticed(moment, "took no more of it, and put that down in its log")
            case "rejected" if is_its:
                yield noticed(moment, "rejected what came to its door")
            case "duplicate" if is_its:
                yield noticed(moment, "knew it already, and let it have no effect")
            case "overdue" if is_its:
                yield noticed(moment, f"missed the receipt of {_names(moment.fields.get('readers'))}")
            case "missing" | "unarrived" if act.kind in {"stolen-sign-key", "drop", "substitute"} and _skipped(
                moment, act, history
            ):
                yield noticed(moment, f"saw that numbers of {moment.text('originator')} were passed over")
            case "rejected" if act.kind == "stolen-sign-key" and _is_for_nothing(moment, act, hids, history):
                yield noticed(moment, "was sent a receipt for a message that it never released")
            case _:
                pass


def _is_quota(moment: Moment, act: RedAct) -> bool:
    return moment.text("code") == "QUOTA" and moment.text("originator") == act.line


def _names(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)


def _skipped(moment: Moment, act: RedAct, history: History) -> bool:
    """Tell whether these missing numbers can be this act's: of the stolen name, or of whom it lied about, there."""
    if act.kind == "stolen-sign-key":
        return moment.text("originator") == act.victim
    lied = {each.text("originator") for each in _of_act("red_lied", act, history)}
    return moment.source == act.victim and moment.text("originator") in lied


def _is_for_nothing(moment: Moment, act: RedAct, hids: frozenset[str], history: History) -> bool:
    """Tell whether the victim rejected a receipt from somebody to whom a message in its name was delivered."""
    if moment.source != act.victim or moment.text("code") != "REFERENCE":
        return False
    receipt = history.first(ROUTER, "admitted", moment.text("hid"))
    if receipt is None or receipt.text("kind") != "receipt":
        return False
    readers = {
        each.text("recipient") for each in history.of_stage("delivered", source=ROUTER) if each.text("hid") in hids
    }
    return receipt.text("originator") in readers


def _first_of_each(signals: Iterable[Noticed]) -> tuple[Noticed, ...]:
    """Keep the first signal of each kind at each place: that it went on being noticed tells nothing more."""
    first: dict[tuple[str, str, str], Noticed] = {}
    for signal in signals:
        first.setdefault((signal.by, signal.how, signal.code), signal)
    return tuple(sorted(first.values(), key=lambda signal: (signal.after_ms, signal.by)))


# What came of it.


def _taken_in_by(act: RedAct, tried: Moment, hids: frozenset[str], history: History) -> tuple[str, ...]:
    if act.kind in {"copied-header", "stolen-sign-key"}:
        return tuple(sorted({arrival.agency for arrival in history.arrivals if arrival.hid in hids}))
    if act.kind != "replay":
        return ()
    times: dict[tuple[str, str], int] = {}
    for arrival in history.arrivals:
        if arrival.hid in hids:
            times[arrival.agency, arrival.hid] = times.get((arrival.agency, arrival.hid), 0) + 1
    late = {arrival.agency for arrival in history.arrivals if arrival.hid in hids and arrival.at_ms >= tried.at_ms}
    return tuple(sorted({agency for (agency, _), count in times.items() if count > 1 and agency in late}))


def _told(act: RedAct, history: History) -> Told:
    """Guess each report's audience from times alone, and count how often that is the true one.

    A watcher who sees a seat send takes everybody whose line carries something at that moment for a reader.
    """
    watched = {
        moment.text("agency"): (_times(moment, "sent_ms"), _times(moment, "given_ms"))
        for moment in _of_act("red_watched", act, history)
    }
    reports = guessed = 0
    for release in history.releases:
        if release.kind != "report" or release.agency not in watched:
            continue
        sent = [at_ms for at_ms in watched[release.agency][0] if 0 <= at_ms - release.at_ms <= _SAME_MS]
        if not sent:
            continue
        reports += 1
        guess = {agency for agency, (_, given) in watched.items() if sent[0] in given} - {release.agency}
        guessed += guess == set(release.audience) & watched.keys()
    return Told(reports=reports, guessed=guessed)


def _times(moment: Moment, name: str) -> tuple[int, ...]:
    return tuple(int(at_ms) for at_ms in moment.fields.get(name) or ())
