"""Database files that are not what they should be: refused with a way out, left as they are, and the way out works."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from console.exits import Exit
from scenarios.deployed import BROKER_DATABASE, NODE_DATABASE
from tests.samples.command_line import at_once
from tests.samples.crash_account import NODES, Account
from tests.samples.crash_lives import BROKER, PASSWORD, crash_region, wait_for

READER, OTHER, AUTHOR = NODES
FILES: Final = {BROKER: Path(BROKER) / BROKER_DATABASE, AUTHOR: Path("nodes") / AUTHOR / NODE_DATABASE}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A region in which two reports have passed, and everything was stopped as it should be."""
    with crash_region(tmp_path_factory.mktemp("used") / "crash") as region:
        region.start_all()
        region.hand_over(AUTHOR, 2)
        region.settle()
        return region.folder


@pytest.fixture
def region(used: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "region"
    shutil.copytree(used, folder)
    return folder


def start(region: Path, who: str) -> tuple[int, str]:
    """Start a command whose database is in the way; returns its code and what it says."""
    where = ("broker", region, "--port", "0") if who == BROKER else ("node", region, who, "--once", "--within", "1s")
    run = at_once(*where, SANDIWARA_PASSWORD=PASSWORD)
    assert "" == run.stdout
    return run.returncode, run.stderr


def foreign(path: Path, *, mode: str) -> None:
    """Put another application's database in the place of ours."""
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.execute("CREATE TABLE invoices(number)")
    connection.commit()
    connection.close()


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x01
    path.write_bytes(content)


def struck(path: Path, *, torn: bool) -> None:
    """Turn a bit, or tear half away, where a page of the file says what it is."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (page,) = connection.execute("SELECT max(rootpage) FROM sqlite_master WHERE type = 'table'").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    first = page_bytes * (page - 1)
    if torn:
        content[first : first + page_bytes // 2] = bytes(page_bytes // 2)
    else:
        content[first] ^= 0x80
    path.write_bytes(content)


def letter(path: Path) -> None:
    path.write_text("Dear colleagues,\n" * 500)


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


DAMAGES: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "magic flipped": (lambda path: flipped(path, 3), "damaged or no database"),
    "kind flipped": (lambda path: flipped(path, 71), "database of another kind"),
    "version flipped": (lambda path: flipped(path, 63), "schema version"),
    "page size flipped": (lambda path: flipped(path, 17), "damaged"),
    "a page flipped": (lambda path: struck(path, torn=False), "damaged"),
    "a page torn": (lambda path: struck(path, torn=True), "damaged"),
    "cut in half": (lambda path: cut(path, path.stat().st_size // 2), "damaged"),
    "cut in the header": (lambda path: cut(path, 50), "damaged"),
    "emptied": (lambda path: cut(path, 0), "is empty, and was not when it was last used"),
    "a text": (letter, "damaged or no database"),
    "another application's": (lambda path: foreign(path, mode="delete"), "database of another kind"),
    "another application's, logged": (lambda path: foreign(path, mode="wal"), "database of another kind"),
}  # fmt: skip


@pytest.mark.parametrize("who", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_and_left_as_it_is(region: Path, who: str, damage: str) -> None:
    path = region / FILES[who]
    sound = path.read_bytes()
    strike, said = DAMAGES[damage]
    strike(path)
    before = path.read_bytes()

    code, words = start(region, who)

    assert Exit.STORE == code, words
    first, second = words.splitlines()
    assert first.startswith("sandiwara: ")
    assert said in first
    assert str(path) in first
    assert second.startswith("  try: ")
    assert before == path.read_bytes()

    # The way out: a copy put back.
    path.write_bytes(sound)
    assert {} == Account(region).unfinished()


@pytest.mark.parametrize(
    ("who", "other", "said"),
    [
        (AUTHOR, Path("nodes") / READER / NODE_DATABASE, f"belongs to {READER}, not to {AUTHOR}"),
        (AUTHOR, FILES[BROKER], "database of another kind"),
        (BROKER, FILES[AUTHOR], "database of another kind"),
    ],
)
def test_a_swapped_file_is_refused_and_left_as_it_is(region: Path, who: str, other: Path, said: str) -> None:
    path = region / FILES[who]
    shutil.copy(region / other, path)
    before = path.read_bytes()

    code, words = start(region, who)

    assert Exit.STORE == code
    assert said in words
    assert before == path.read_bytes()


# The write-ahead log, which holds what was committed last.


def test_a_log_of_another_agency_is_refused(tmp_path: Path) -> None:
    """After a kill nearly everything may stand in the log; with another's, the file would be another's."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        region.hand_over(AUTHOR)
        wait_for(lambda: region.told(OTHER, "received") or None, "report")
        region.kill_all()
        files = {agency: region.folder / "nodes" / agency / NODE_DATABASE for agency in NODES}
        logs = {agency: path.with_name(path.name + "-wal") for agency, path in files.items()}
        logs[AUTHOR].write_bytes(logs[READER].read_bytes())
        before = files[AUTHOR].read_bytes(), logs[AUTHOR].read_bytes()

        code, words = start(region.folder, AUTHOR)

        assert Exit.STORE == code
        assert f"belongs to {READER}, not to {AUTHOR}" in words
        assert before == (files[AUTHOR].read_bytes(), logs[AUTHOR].read_bytes())


# The other way out: a file moved away, and begun anew.


def test_a_node_whose_file_was_moved_away_begins_anew_and_is_believed(tmp_path: Path) -> None:
    """Its numbers begin again, and its readers still know the old ones; what it sends arrives all the same."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        region.hand_over(AUTHOR, 2)
        wait_for(lambda: len(region.told(AUTHOR, "receipt")) == 2 or None, "receipts")
        region.lives.pop(AUTHOR).kill()
        path = region.folder / FILES[AUTHOR]
        cut(path, 0)
        code, words = start(region.folder, AUTHOR)
        assert Exit.STORE == code
        assert "move the file away to begin anew" in words
        path.rename(path.with_name("spoilt"))

        region.start(AUTHOR)
        region.hand_over(AUTHOR)
        wait_for(lambda: region.told(AUTHOR, "sent") - region.told(AUTHOR, "accepted") == set() or None, "verdict")
        wait_for(lambda: len(region.told(READER, "received")) == 3 or None, "report at one reader")
        wait_for(lambda: len(region.told(OTHER, "received")) == 3 or None, "report at the other")


def test_a_broker_whose_file_was_moved_away_begins_anew_and_its_witnesses_see_it(tmp_path: Path) -> None:
    """Reports go on, since lives may hang on them; but each agency that had cosigned the old one says so."""
    with crash_region(tmp_path / "crash") as region:
        region.start_all()
        region.hand_over(AUTHOR, 2)
        wait_for(lambda: len(region.told(AUTHOR, "receipt")) == 2 or None, "receipts")
        region.lives.pop(BROKER).kill()
        path = region.folder / FILES[BROKER]
        for name in (path.name, path.name + "-wal", path.name + "-shm"):
            path.with_name(name).rename(path.with_name("spoilt-" + name))

        def seen() -> bool | None:
            """Let another report pass, stop everything, and look whether each witness has put the log down."""
            region.start_all()
            before = region.told(READER, "received"), region.told(OTHER, "received")
            region.hand_over(AUTHOR)
            wait_for(lambda: region.told(READER, "received") - before[0] or None, "report at one reader")
            wait_for(lambda: region.told(OTHER, "received") - before[1] or None, "report at the other")
            region.kill_all()
            journals = Account(region.folder).journals
            return all("log_fault" in {entry.stage for entry in journals[name]} for name in NODES) or None

        region.kill_all()
        wait_for(seen, "word of the log that forgot")
