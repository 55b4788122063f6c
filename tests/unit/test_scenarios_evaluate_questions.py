"""Questions and fairness, from the records of who asked."""

from scenarios.evaluate.history import History
from scenarios.evaluate.questions import Fairness, Question, count_fairness, list_questions
from tests.samples.small_exercise import END_MINUTE, MINUTE_MS, START_MS, Recorder, hid, small_pack


def asked(record: Recorder, minute: int, name: str, partner: str, *, due: int | None = 60, kind: str = "rfi") -> None:
    record.note(
        minute, "alpha", "asked", hid=hid(name), exchange=kind, partner=partner, mine=True, subject="s",
        answer_by_ms=None if due is None else START_MS + due * MINUTE_MS, outcome="open",
    )  # fmt: skip


def answered(record: Recorder, minute: int, name: str, partner: str, outcome: str, *, by: str = "M9") -> None:
    record.note(
        minute, "alpha", "answered", hid=hid(name), exchange="rfi", partner=partner, mine=True, subject="s",
        outcome=outcome, by=hid(by),
    )  # fmt: skip


def found(record: Recorder) -> tuple[Question, ...]:
    record.note(END_MINUTE, "excon", "endex", reason="time")
    return list_questions(History(small_pack(), record.events), start_ms=START_MS)


def test_every_question_has_its_state_and_its_answer() -> None:
    record = Recorder()
    asked(record, 5, "M1", "bravo")
    asked(record, 5, "M1", "charlie")
    asked(record, 6, "M2", "bravo", due=None, kind="task")
    asked(record, 7, "M3", "bravo", due=END_MINUTE + 1)
    answered(record, 20, "M1", "bravo", "answered")
    answered(record, 30, "M2", "bravo", "accepted")
    answered(record, 50, "M2", "bravo", "done", by="M8")

    assert [
        ("bravo", "answered", 20 * MINUTE_MS, hid("M9")),
        ("charlie", "unanswered", None, None),
        ("bravo", "done", 30 * MINUTE_MS, hid("M8")),
        ("bravo", "open at ENDEX", None, None),
    ] == [(item.partner, item.state, item.answered_ms, item.answer) for item in found(record)]


def test_fairness_counts_by_pair_and_takes_the_median_of_first_answers() -> None:
    record = Recorder()
    for minute, name, outcome in ((10, "M1", "answered"), (15, "M2", "declined"), (70, "M3", "answered")):
        asked(record, 5, name, "bravo")
        answered(record, minute, name, "bravo", outcome)
    asked(record, 5, "M4", "bravo")
    asked(record, 5, "M5", "charlie")

    bravo, charlie = count_fairness(found(record))
    assert (4, 2, 1, 1, 1, 10 * MINUTE_MS) == (
        bravo.asked, bravo.answered, bravo.declined, bravo.unanswered, bravo.late, bravo.median_ms,
    )  # fmt: skip
    assert (hid("M1"), hid("M2"), hid("M3"), hid("M4")) == bravo.evidence
    assert Fairness(
        asker="alpha", partner="charlie", asked=1, answered=0, declined=0, unanswered=1, late=0, median_ms=None,
        evidence=(hid("M5"),),
    ) == charlie  # fmt: skip


def test_what_the_asked_wrote_down_counts_for_nothing() -> None:
    record = Recorder()
    asked(record, 5, "M1", "bravo")
    record.note(9, "bravo", "answered", hid=hid("M1"), exchange="rfi", partner="alpha", mine=False, outcome="answered")

    assert ["unanswered"] == [item.state for item in found(record)]
