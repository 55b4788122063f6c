"""The outgoing folder: whole or not at all, in order, bounded, and never in anybody's way."""

import stat
from pathlib import Path

import pytest

from console import spool
from console.spool import hand_over, read_one, read_waiting, set_aside
from schemas.errors import CapacityError, InputError, KeyFileError
from sealing.entropy import SystemEntropy


def laid(folder: Path, text: str = "title: x", *, now_ms: int = 1) -> Path:
    return hand_over(folder, name="x.yaml", text=text, to=("mys-mar",), now_ms=now_ms, entropy=SystemEntropy())


def test_what_is_handed_over_is_read_back(tmp_path: Path) -> None:
    path = laid(tmp_path, "title: é")
    waiting = read_one(path)

    assert ("x.yaml", ("mys-mar",), "title: é") == (waiting.name, waiting.to, waiting.text)
    assert waiting.cause.endswith(path.name)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_reports_wait_in_the_order_in_which_they_were_handed_over(tmp_path: Path) -> None:
    paths = [laid(tmp_path, now_ms=now_ms) for now_ms in (9, 10, 1_000_000_000_000)]

    assert paths == read_waiting(tmp_path)


def test_a_file_that_is_still_being_written_does_not_wait_yet(tmp_path: Path) -> None:
    (tmp_path / "1.report.new").write_text("{")

    assert [] == read_waiting(tmp_path)


def test_a_report_that_cannot_be_sent_no_longer_stands_in_the_way(tmp_path: Path) -> None:
    path = laid(tmp_path)

    aside = set_aside(path)

    assert [] == read_waiting(tmp_path)
    assert aside.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 1, "to": [], "text": "x"}', "[" * 100_000])
def test_what_nobody_handed_over_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "1.report").write_text(content)

    with pytest.raises(InputError, match="no report that"):
        read_one(tmp_path / "1.report")


def test_the_folder_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_WAITING_MAX", 1)
    laid(tmp_path)

    with pytest.raises(CapacityError, match="wait in"):
        laid(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(KeyFileError, match="cannot be written"):
        laid(tmp_path / "file")
