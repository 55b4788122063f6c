"""Keys at rest: locked, private, named, whole; and every way in which a file is not what it should be."""

import os
import stat
from pathlib import Path

import pytest
from nacl import secret

from conformance import world
from schemas.codec import pack, unpack
from schemas.errors import KeyFileError
from sealing.keyfile import (
    MODERATE,
    UNSAFE_THROWAWAY,
    KeyRing,
    PasswordCost,
    _derive,
    box_secret,
    read_key_file,
    write_key_file,
    write_private,
)

PASSWORD = b"a long pass phrase"
RING = KeyRing(
    "alpha",
    world.secret("sign alpha"),
    (box_secret(epoch=7, secret_key=world.secret("box alpha 7"), not_before=1, expires=2),),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a key file of alpha's."""
    made = tmp_path / "keys" / "alpha.key"
    write_key_file(made, RING, password=PASSWORD, cost=UNSAFE_THROWAWAY, entropy=world.ScriptedEntropy("file"))
    return made


def replace_fields(path: Path, **changes: object) -> None:
    """Write the file again with some of its clear fields changed."""
    names = ("magic", "version", "name", "passes", "memory_bytes", "salt", "nonce", "ciphertext")
    fields = dict(zip(names, unpack(path.read_bytes(), bytes_max=1 << 16), strict=True)) | changes
    path.write_bytes(pack(tuple(fields.values())))


def test_a_key_file_opens_with_its_password_and_is_private(path: Path) -> None:
    assert RING == read_key_file(path, name="alpha", password=PASSWORD)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(path.parent.iterdir())


def test_a_key_file_holds_no_secret_in_the_clear(path: Path) -> None:
    assert RING.sign_seed not in path.read_bytes()
    assert RING.boxes[0].secret not in path.read_bytes()
    assert "KeyRing(alpha)" == repr(RING)


def test_a_wrong_password_and_damage_look_alike(path: Path) -> None:
    with pytest.raises(KeyFileError, match="does not open with this password") as wrong:
        read_key_file(path, name="alpha", password=b"another")
    ciphertext = unpack(path.read_bytes(), bytes_max=1 << 16)[-1]
    replace_fields(path, ciphertext=bytes([ciphertext[0] ^ 1]) + ciphertext[1:])
    with pytest.raises(KeyFileError) as damaged:
        read_key_file(path, name="alpha", password=PASSWORD)
    replace_fields(path, ciphertext=b"")
    with pytest.raises(KeyFileError) as emptied:
        read_key_file(path, name="alpha", password=PASSWORD)

    assert str(wrong.value) == str(damaged.value) == str(emptied.value)
    assert wrong.value.remedy == damaged.value.remedy == emptied.value.remedy


@pytest.mark.parametrize(
    "damage",
    [
        lambda _whole: b"",
        lambda whole: whole[:-1],
        lambda whole: whole + b"\0",
        lambda _whole: b"-----BEGIN PRIVATE KEY-----",
        lambda _whole: bytes(100_000),
    ],
    ids=["empty", "cut short", "longer", "of another kind", "huge"],
)
def test_what_is_no_key_file_is_called_so(path: Path, damage: object) -> None:
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(KeyFileError, match="is not a key file"):
        read_key_file(path, name="alpha", password=PASSWORD)


def test_a_swapped_file_is_named_as_such(path: Path) -> None:
    with pytest.raises(KeyFileError, match="holds the keys of alpha, not of bravo"):
        read_key_file(path, name="bravo", password=PASSWORD)


def test_a_file_that_was_renamed_inside_does_not_pass(path: Path) -> None:
    """The name in the clear is bound into the sealed part."""
    replace_fields(path, name="bravo")

    with pytest.raises(KeyFileError, match="says other things in the clear"):
        read_key_file(path, name="bravo", password=PASSWORD)


def test_the_cost_of_a_guess_cannot_be_lowered(path: Path) -> None:
    replace_fields(path, passes=2)

    with pytest.raises(KeyFileError, match="does not open with this password"):
        read_key_file(path, name="alpha", password=PASSWORD)


def test_what_lies_under_the_lock_is_checked_too(path: Path) -> None:
    """A file of an older make, or of a careless one, opens with its password and is still no key ring."""
    cost = UNSAFE_THROWAWAY
    salt, nonce = bytes(16), bytes(24)
    box = secret.SecretBox(_derive(PASSWORD, cost, salt))
    fields = ("sandiwara-key", 1, "alpha", cost.passes, cost.memory_bytes, salt, nonce)
    for inside in (7, (pack(fields), ("alpha", b"short", ())), (pack(fields),)):
        path.write_bytes(pack((*fields, box.encrypt(pack(inside), nonce).ciphertext)))
        with pytest.raises(KeyFileError, match="does not open with this password"):
            read_key_file(path, name="alpha", password=PASSWORD)


def test_a_cost_that_would_eat_the_machine_is_not_tried(path: Path) -> None:
    replace_fields(path, memory_bytes=1 << 40)

    with pytest.raises(KeyFileError, match="is not a key file"):
        read_key_file(path, name="alpha", password=PASSWORD)


@pytest.mark.parametrize(
    ("cost", "answer", "tried"),
    [
        ({"passes": 6, "memory_bytes": 512 << 20}, "does not open with this password", 1),
        ({"passes": 7}, "is not a key file", 0),
        ({"memory_bytes": (512 << 20) + 1}, "is not a key file", 0),
        ({"passes": 16, "memory_bytes": 1 << 30}, "is not a key file", 0),
    ],
    ids=["twice what ours ask for", "a pass more", "a byte more", "what an earlier version bore"],
)
def test_a_file_that_asks_for_more_than_twice_of_ours_is_refused_before_any_stretching(
    path: Path, monkeypatch: pytest.MonkeyPatch, cost: dict[str, int], answer: str, tried: int
) -> None:
    """Its cost stands in the clear: whoever can put a file there would choose how long a node is busy with it."""
    stretched: list[PasswordCost] = []

    def note(_password: bytes, asked: PasswordCost, _salt: bytes) -> bytes:
        stretched.append(asked)
        return bytes(32)

    monkeypatch.setattr("sealing.keyfile._derive", note)
    replace_fields(path, **cost)

    with pytest.raises(KeyFileError, match=answer):
        read_key_file(path, name="alpha", password=PASSWORD)
    assert tried == len(stretched)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_not_used(path: Path, mode: int) -> None:
    path.chmod(mode)

    with pytest.raises(KeyFileError, match=f"mode {mode:04o}") as caught:
        read_key_file(path, name="alpha", password=PASSWORD)
    assert caught.value.remedy == f"run: chmod 600 {path}"


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: No such file"):
        read_key_file(tmp_path / "none.key", name="alpha", password=PASSWORD)


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")

    with pytest.raises(KeyFileError, match="cannot be written"):
        write_key_file(
            tmp_path / "taken" / "alpha.key",
            RING,
            password=PASSWORD,
            cost=UNSAFE_THROWAWAY,
            entropy=world.ScriptedEntropy("file"),
        )


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the worst moment."""
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"half")

    assert before == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_the_cost_of_a_kept_key_is_moderate() -> None:
    assert PasswordCost(passes=3, memory_bytes=256 * 1024 * 1024) == MODERATE
