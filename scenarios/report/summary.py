"""What the page says in a few words: the verdict in sentences, the four-way in counts, the participants in rows."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from scenarios.evaluate.evaluation import Evaluation
from scenarios.evaluate.history import History
from scenarios.evaluate.policy_cells import POLICY_CLASSES, PolicyClass
from scenarios.evaluate.wording import count_text, list_text, share_text
from scenarios.model import Pack

_READ_KINDS: Final = frozenset({"report", "answer", "rfi"})  # what a desk opens; receipts are the nodes' own matter


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRow:
    """One agency in the exercise, with what passed its desk."""

    agency: str
    name: str
    state: str
    role: str
    kind: str
    seat: str
    link: str
    released: int
    received: int
    unread: int
    outages: int
    down_ms: int


def verdict_sentences(evaluation: Evaluation) -> tuple[str, ...]:
    """Say in a few sentences how the exercise went: in time, to the right people, and why not."""
    figures = evaluation.certain.sharing
    sentences = []
    if figures.fell_due:
        sentences.append(
            f"{figures.on_time} of {count_text(figures.fell_due, 'need', 'needs')} that fell due "
            f"{'was' if figures.on_time == 1 else 'were'} met on time; {figures.late} late, {figures.missed} missed."
        )
    else:
        sentences.append("No need fell due before ENDEX, so nothing can be said of under-sharing.")
    broken = sorted({each.fact for each in evaluation.certain.disclosures})
    sentences.append(
        f"{count_text(figures.disclosures, 'disclosure', 'disclosures')} of {list_text(broken)} to agencies that must "
        "not have it."
        if broken
        else "No protected fact reached anybody who must not have it."
    )
    causes = Counter(need.cause for need in evaluation.certain.needs if need.cause is not None)
    if causes:
        named = {"person": "people", "rule": "rules", "link": "links"}
        blamed = [f"{named[cause]} for {number}" for cause, number in causes.most_common()]
        sentences.append(f"Of what came late or not at all, the main cause was {list_text(blamed)}.")
    if evaluation.certain.sharing.surplus_share is not None:
        sentences.append(f"{share_text(figures.surplus_share)} of what was passed on was surplus.")
    return (*sentences, *_red_sentence(evaluation))


def _red_sentence(evaluation: Evaluation) -> tuple[str, ...]:
    """Say what the adversary came to, where there is one."""
    done = [each for each in evaluation.red if each.at_ms is not None]
    if not done:
        return ()
    noticed = sum(bool(each.noticed) for each in done)
    believed = sum(bool(each.taken_in_by) for each in done)
    text = f"Red tried {count_text(len(done), 'thing', 'things')}, of which {noticed} "
    text += f"{'was' if noticed == 1 else 'were'} noticed; "
    text += f"{believed} of its false messages {'was' if believed == 1 else 'were'} taken for true."
    return (text,)


def policy_counts(evaluation: Evaluation) -> dict[PolicyClass, int]:
    """Count the classes of the four-way."""
    counts = Counter(cell.policy for cell in evaluation.certain.policy)
    return {policy: counts[policy] for policy in POLICY_CLASSES}


def participant_rows(pack: Pack, history: History, evaluation: Evaluation) -> tuple[ParticipantRow, ...]:
    """List the participants with what they sent, received and left unread."""
    rows = []
    for participant in pack.participants:
        agency = participant.agency
        received = {
            each.hid
            for each in history.arrivals
            if each.agency == agency and each.kind in _READ_KINDS and each.at_ms <= history.end_ms
        }
        opened = {
            moment.text("hid") for moment in history.of_stage("opened", source=agency) if moment.at_ms <= history.end_ms
        }
        outages = [outage for outage in evaluation.outages if outage.agency == agency]
        rows.append(
            ParticipantRow(
                agency=agency,
                name=participant.name,
                state=participant.state or "-",
                role=participant.role,
                kind=participant.kind,
                seat=participant.seat,
                link=participant.link,
                released=sum(1 for release in history.releases if release.agency == agency),
                received=len(received),
                unread=len(received - opened),
                outages=len(outages),
                down_ms=sum(outage.end_ms - outage.begin_ms for outage in outages),
            )
        )
    return tuple(rows)
