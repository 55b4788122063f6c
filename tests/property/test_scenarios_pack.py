"""A pack comes from elsewhere: whatever its text, loading either gives a pack or says what is wrong with it."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.finding import LEVELS
from scenarios.lint import lint_pack
from scenarios.pack import LoadedPack, load_pack_with_places
from scenarios.problems import PackError, PackTextError, Problem
from scenarios.text_yaml import Node, TextNode, read_yaml
from scenarios.values import read_duration_ms, read_exercise_time_ms, read_span
from schemas.errors import InputError

SMALL = (Path(__file__).parent.parent / "packs" / "harbour-watch.yaml").read_text(encoding="utf-8")
LINES = SMALL.splitlines(keepends=True)
TOKENS = sorted({word for line in LINES for word in line.replace("{", " ").replace(",", " ").split()})
SNIPPETS = st.one_of(
    st.sampled_from(TOKENS),
    st.sampled_from(
        [
            "{",
            "}",
            "[",
            "]",
            ": ",
            "- ",
            "&a",
            "*a",
            "!x",
            "'",
            '"',
            "\n",
            "\t",
            "---\n",
            "#",
            "|",
            ">",
            "\\",
            "@",
            "{F1: ",
            "~",
        ]
    ),
    st.text(max_size=12),
)
TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@st.composite
def mutated_packs(draw: st.DrawFn) -> str:
    """Draw the small pack with some places cut, doubled, moved or overwritten."""
    text = SMALL
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 1, 3, 12, 60]))
        match draw(st.sampled_from(["insert", "cut", "double", "replace", "line"])):
            case "insert":
                text = text[:at] + draw(SNIPPETS) + text[at:]
            case "cut":
                text = text[:at] + text[at + length :]
            case "double":
                text = text[:at] + text[at : at + length] * 2 + text[at + length :]
            case "replace":
                text = text[:at] + draw(SNIPPETS) + text[at + length :]
            case _:
                text = text[:at] + draw(st.sampled_from(LINES)) + text[at:]
    return text


def load_or_refuse(path: Path) -> tuple[tuple[Problem, ...], str, LoadedPack | None]:
    """Return the problems and the remedy of a refusal, or what was loaded; any other error is a fault of ours."""
    try:
        return (), "", load_pack_with_places(path)
    except PackError as error:
        return error.problems, error.remedy, None
    except InputError as error:
        return (), error.remedy, None


@given(text=mutated_packs())
@settings(TMP, max_examples=200)
def test_a_bent_pack_is_loaded_and_examined_or_refused_with_places(text: str, tmp_path: Path) -> None:
    """Only InputError comes out, and every problem names a line that the file has."""
    path = tmp_path / "bent.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    found, remedy, loaded = load_or_refuse(path)

    assert found or remedy or loaded
    for problem in found:
        assert 1 <= problem.mark.line <= text.count("\n") + 2
        assert problem.text.isprintable()
    if loaded is not None:
        assert all(finding.level in LEVELS for finding in lint_pack(loaded.pack, loaded.places))


@given(raw=st.binary(max_size=400))
@settings(TMP)
def test_any_bytes_are_refused_in_words(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bent.yaml"
    path.write_bytes(raw)
    _, remedy, loaded = load_or_refuse(path)

    assert loaded is None  # no pack is that small
    assert remedy


def scalars(node: Node | None) -> list[str]:
    """Return all scalars of a node, keys included."""
    match node:
        case None:
            return []
        case TextNode():
            return [node.value]
        case _ if hasattr(node, "items"):
            return [text for item in node.items for text in scalars(item)]
        case _:
            return [text for key, value in node.entries for text in (key.value, *scalars(value))]


@given(value=st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_no_plain_word_is_ever_turned_into_something_else(value: str) -> None:
    assert ["key", value] == scalars(read_yaml(f"key: {value}\n", "a.yaml"))


@given(text=st.text(alphabet=":-[]{}&*!|>'\"%@`#,?\n\t ax1\\", max_size=60))
def test_any_text_is_yaml_or_a_refusal_with_a_place(text: str) -> None:
    refusal: PackTextError | None = None
    try:
        read_yaml(text, "a.yaml")
    except PackTextError as error:
        refusal = error

    if refusal is not None:
        assert refusal.problem.mark.file == "a.yaml"
        assert refusal.problem.mark.line >= 1
        assert refusal.remedy


def spelled(duration_ms: int) -> str:
    """Spell a duration as a planner would."""
    parts = []
    for unit, size_ms in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, duration_ms = divmod(duration_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


@given(duration_ms=st.integers(0, 60 * 86_400_000))
def test_a_duration_reads_back_as_it_was_spelled(duration_ms: int) -> None:
    assert duration_ms == read_duration_ms(spelled(duration_ms))
    if duration_ms:
        assert -duration_ms == read_exercise_time_ms("T-" + spelled(duration_ms))


@given(first_ms=st.integers(0, 10**9), second_ms=st.integers(0, 10**9))
def test_a_span_holds_its_bounds_in_order(first_ms: int, second_ms: int) -> None:
    least_ms, most_ms = sorted((first_ms, second_ms))
    span = read_span(f"{spelled(least_ms)}..{spelled(most_ms)}")

    assert (least_ms, most_ms) == (span.least_ms, span.most_ms)
