"""National markings (H12): they map onto levels, the highest wins, an unknown one is refused, and losses are told."""

import pytest

from policy.community import Community
from policy.national_marks import carry, grade, marks_of, states_with_marks
from schemas.bundle import Agency, Bundle, NationalMark, Predicate, RouterKey, Rule, SignKey
from schemas.errors import InputError
from schemas.label import EXERCISE_LEVELS

KEY = SignKey(b"k" * 32, 0, 2_000)
MARKS = (
    NationalMark("MYS", "RAHSIA BESAR", "EX-SECRET", 1),
    NationalMark("MYS", "RAHSIA", "EX-SECRET", 0),
    NationalMark("MYS", "SULIT", "EX-CONFIDENTIAL", 0),
    NationalMark("MYS", "TERHAD", "EX-RESTRICTED", 0),
    NationalMark("IDN", "Terbatas", "EX-RESTRICTED", 0),
    NationalMark("IDN", "Rahasia", "EX-SECRET", 0),
    NationalMark("LAO", "Low", "EX-RESTRICTED", 1),
)
COMMUNITY = Community.compile(
    Bundle(
        v=1, version=1, issued=0, expires=2_000, levels=EXERCISE_LEVELS, compartments=(), groups=(), mechanisms=(),
        agencies=tuple(
            Agency(name, name, name[:3].upper(), "di", "member", "EX-SECRET", (), (), (), "active", (KEY,))
            for name in ("mys-di", "idn-di", "lao-di")
        ),
        routers=(RouterKey("router", KEY),), rules=(Rule("N1", "permit", (Predicate("topic", ("toc.*",)),)),),
        marks=MARKS,
    )
)  # fmt: skip


def test_h12_the_highest_of_several_marks_wins() -> None:
    assert "EX-SECRET" == grade("MYS", ["TERHAD", "RAHSIA", "SULIT"], COMMUNITY).level


@pytest.mark.parametrize("mark", ["sulit", " SULIT ", "Sulit"])
def test_h12_capitals_and_space_do_not_matter(mark: str) -> None:
    assert "EX-CONFIDENTIAL" == grade("MYS", [mark], COMMUNITY).level


def test_h12_an_unknown_mark_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="GEHEIM") as refused:
        grade("MYS", ["SULIT", "GEHEIM"], COMMUNITY)
    assert "TERHAD, SULIT, RAHSIA, RAHSIA BESAR" in (refused.value.remedy or "")


def test_h12_one_state_s_mark_is_not_another_s() -> None:
    with pytest.raises(InputError, match="of IDN"):
        grade("IDN", ["SULIT"], COMMUNITY)
    with pytest.raises(InputError) as refused:
        grade("VNM", ["SULIT"], COMMUNITY)
    assert "maps no marks of VNM" in (refused.value.remedy or "")


def test_h12_no_mark_at_all_is_not_the_lowest() -> None:
    with pytest.raises(InputError, match="no mark of MYS"):
        grade("MYS", [], COMMUNITY)


def test_a_mapping_that_loses_meaning_is_flagged() -> None:
    assert ("RAHSIA BESAR",) == grade("MYS", ["rahsia besar", "TERHAD"], COMMUNITY).lossy
    assert () == grade("MYS", ["RAHSIA"], COMMUNITY).lossy


def test_a_mark_is_carried_to_the_exact_mark_of_another_state() -> None:
    carried = carry("MYS", "TERHAD", "IDN", COMMUNITY)
    assert ("EX-RESTRICTED", "Terbatas", ()) == (carried.level, carried.mark, carried.lossy)


def test_where_a_state_has_no_such_degree_the_next_higher_one_is_taken_and_told() -> None:
    carried = carry("MYS", "SULIT", "IDN", COMMUNITY)
    assert "Rahasia" == carried.mark
    assert ("IDN has no mark for EX-CONFIDENTIAL; Rahasia means EX-SECRET",) == carried.lossy


def test_a_mark_is_never_carried_to_a_lower_one() -> None:
    carried = carry("MYS", "SULIT", "LAO", COMMUNITY)
    assert carried.mark is None
    assert ("LAO has no mark as high as EX-CONFIDENTIAL",) == carried.lossy


def test_meaning_that_is_lost_on_either_side_is_told() -> None:
    assert ("RAHSIA BESAR of MYS is more than EX-SECRET says",) == carry("MYS", "RAHSIA BESAR", "IDN", COMMUNITY).lossy
    assert ("Low of LAO is more than EX-RESTRICTED says",) == carry("MYS", "TERHAD", "LAO", COMMUNITY).lossy


def test_marks_are_listed_lowest_first_by_state() -> None:
    assert ("IDN", "LAO", "MYS") == states_with_marks(COMMUNITY)
    assert ["TERHAD", "SULIT", "RAHSIA", "RAHSIA BESAR"] == [item.mark for item in marks_of("MYS", COMMUNITY)]
