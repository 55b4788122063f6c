"""Signed notes: the examples of the specifications, one spelling only, and signatures that count."""

from base64 import b64decode, b64encode

import pytest

from schemas.errors import LogError, LogFault, RemoteError
from sealing.keys import SignPair, sign_pair_from_seed
from sealing.notes import (
    NOTE_SIGNATURES_MAX,
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    Checkpoint,
    Note,
    NoteKey,
    NoteSignature,
    cosign,
    log_origin,
    read_checkpoint,
    read_note,
    read_signature,
    sign_checkpoint,
    verify_note,
    verify_signature,
    with_signatures,
    witness_name,
)
from sealing.primitives import SIGN_VERDICT, sign, verify

# The example of golang.org/x/mod/sumdb/note, whose test everybody shares.
GO_PUBLIC = b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
GO_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
# The example of C2SP tlog-cosignature: a log's line and a witness's.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

LOG = sign_pair_from_seed(bytes(31) + b"\x01")
WITNESS = sign_pair_from_seed(bytes(31) + b"\x02")
CHECKPOINT = Checkpoint(log_origin("router"), 7, bytes(range(32)))
NOW_MS = 1_700_000_000_999


def log_key(pair: SignPair = LOG) -> NoteKey:
    return NoteKey(name=CHECKPOINT.origin, kind=TYPE_ED25519, public=pair.public)


def witness_key(pair: SignPair = WITNESS) -> NoteKey:
    return NoteKey(name=witness_name("mys-cert"), kind=TYPE_COSIGNATURE, public=pair.public)


def cosigned() -> Note:
    note = sign_checkpoint(CHECKPOINT, signer=LOG)
    return with_signatures(note, [cosign(note.text, name=witness_name("mys-cert"), signer=WITNESS, now_ms=NOW_MS)])


def fault_of(received: bytes) -> LogFault:
    with pytest.raises(LogError) as caught:
        read_checkpoint(read_note(received).text)
    return caught.value.fault


def test_the_example_of_go_verifies_and_is_signed_alike() -> None:
    key = NoteKey(name="PeterNeumann", kind=TYPE_ED25519, public=GO_PUBLIC)
    note = read_note(GO_NOTE)

    assert bytes.fromhex("c74f20a3") == key.key_id
    assert {"PeterNeumann": None} == verify_note(note, [key])
    assert GO_NOTE == note.packed()
    assert note.signatures[0].signature == sign(sign_pair_from_seed(GO_SEED).secret, b"", note.text)


def test_the_example_of_c2sp_reads_as_it_is_written() -> None:
    note = read_note(C2SP_NOTE)

    assert C2SP_NOTE == note.packed()
    assert ("example.com/behind-the-sofa", 20_852_163) == read_checkpoint(note.text)[:2]
    assert 1_679_315_147 == int.from_bytes(note.signatures[1].signature[:8], "big")
    assert [64, 72] == [len(line.signature) for line in note.signatures]


def test_a_cosigned_checkpoint_comes_back_as_it_left() -> None:
    note = cosigned()

    assert note == read_note(note.packed())
    assert CHECKPOINT == read_checkpoint(note.text)
    assert {log_key().name: None, witness_key().name: NOW_MS // 1000} == verify_note(note, [log_key(), witness_key()])


def test_a_cosignature_is_over_header_time_and_text() -> None:
    note = cosigned()
    at_s = NOW_MS // 1000

    signed = f"cosignature/v1\ntime {at_s}\n".encode() + note.text
    verify(WITNESS.public, b"", signed, note.signatures[1].signature[8:])


def test_a_line_of_an_unknown_key_is_passed_over_and_alone_proves_nothing() -> None:
    note = cosigned()

    assert {log_key().name: None} == verify_note(note, [log_key()])
    with pytest.raises(LogError) as caught:
        verify_note(note, [log_key(WITNESS)])
    assert LogFault.SIGNATURE == caught.value.fault
    with pytest.raises(LogError):
        verify_note(note, [])


def test_a_bad_line_of_a_known_key_spoils_the_note() -> None:
    """A good line beside it must not make up for it: whoever added it wanted to be believed."""
    note = cosigned()
    line = note.signatures[1]
    for blob in (
        line.signature[:-1] + bytes([line.signature[-1] ^ 1]),
        line.signature[:-1],
        bytes([line.signature[0] ^ 0x80]) + line.signature[1:],
        line.signature[:7] + bytes([line.signature[7] ^ 1]) + line.signature[8:],
    ):
        bent = Note(note.text, (note.signatures[0], line._replace(signature=blob)))
        with pytest.raises(LogError) as caught:
            verify_note(bent, [log_key(), witness_key()])
        assert LogFault.SIGNATURE == caught.value.fault


def test_a_cosignature_is_no_signature_of_a_log() -> None:
    """One key may be both; the type in the key id keeps them apart, and so does what is signed."""
    note = sign_checkpoint(CHECKPOINT, signer=LOG)
    line = cosign(note.text, name=CHECKPOINT.origin, signer=LOG, now_ms=NOW_MS)
    with pytest.raises(LogError):
        verify_signature(note.text, line, key=log_key())
    as_log = NoteSignature(line.name, log_key().key_id, line.signature[8:])
    with pytest.raises(LogError):
        verify_signature(note.text, as_log, key=log_key())


def test_no_note_is_a_statement_of_another_purpose() -> None:
    note = cosigned()
    for line in note.signatures:
        with pytest.raises(RemoteError):
            verify(LOG.public, SIGN_VERDICT, note.text, line.signature[-64:])


def test_a_key_signs_a_note_once_and_its_newest_line_stays() -> None:
    note = cosigned()
    later = cosign(note.text, name=witness_name("mys-cert"), signer=WITNESS, now_ms=NOW_MS + 60_000)

    assert (note.signatures[0], later) == with_signatures(note, [later]).signatures


@pytest.mark.parametrize(
    ("name", "bent"),
    [
        ("empty", b""),
        ("no empty line", C2SP_NOTE.replace(b"\n\n", b"\n")),
        ("no text", C2SP_NOTE[C2SP_NOTE.index(b"\n\n") :]),
        ("no signature", C2SP_NOTE[: C2SP_NOTE.index(b"\n\n") + 2]),
        ("no last line feed", C2SP_NOTE[:-1]),
        ("an empty line at the end", C2SP_NOTE + b"\n"),
        ("a carriage return", C2SP_NOTE.replace(b"\n", b"\r\n")),
        ("a tab", C2SP_NOTE.replace(b"sofa\n", b"sofa\t\n")),
        ("not UTF-8", C2SP_NOTE.replace(b"example", b"ex\xffmple")),
        ("a hyphen for the dash", C2SP_NOTE.replace("—".encode(), b"-")),
        ("a plus in a name", C2SP_NOTE.replace(b"witness.example", b"witness+example")),
        ("a wide space in a name", C2SP_NOTE.replace(b"witness.example", "witness\u2003example".encode())),
        ("no name", C2SP_NOTE.replace(b"witness.example.com/w1", b"")),
        ("no signature on a line", C2SP_NOTE[: C2SP_NOTE.rindex(b" ") + 1] + b"\n"),
        ("a key id alone", C2SP_NOTE[: C2SP_NOTE.rindex(b" ") + 1] + b"jWbPPw==\n"),
        ("not base64", C2SP_NOTE.replace(b"jWbPPw", b"jWbP*w")),
        ("base64 with spare bits set", C2SP_NOTE.replace(b"jxq2I=", b"jxq2J=")),
        ("base64 without padding", C2SP_NOTE.replace(b"jxq2I=", b"jxq2I")),
        ("a size with a zero before it", C2SP_NOTE.replace(b"\n20852163", b"\n020852163")),
        ("a negative size", C2SP_NOTE.replace(b"\n20852163", b"\n-20852163")),
        ("a size in other digits", C2SP_NOTE.replace(b"20852163", "٢٠٨٥".encode())),
        ("a size above 2**53", C2SP_NOTE.replace(b"20852163", b"9007199254740992")),
        ("no origin", C2SP_NOTE.replace(b"example.com/behind-the-sofa\n20", b"\n20")),
        ("a root of 31 bytes", C2SP_NOTE.replace(C2SP_NOTE.split(b"\n")[2], b64encode(bytes(31)))),
        ("a fourth line", C2SP_NOTE.replace(b"q2I=\n\n", b"q2I=\nextension\n\n")),
        ("two lines", C2SP_NOTE.replace(b"20852163\n", b"")),
    ],
)  # fmt: skip
def test_another_spelling_is_refused(name: str, bent: bytes) -> None:
    assert bent != C2SP_NOTE
    assert LogFault.MALFORMED == fault_of(bent)


def test_a_note_has_bounds() -> None:
    line = C2SP_NOTE[C2SP_NOTE.rindex("—".encode()) :]

    assert LogFault.MALFORMED == fault_of(C2SP_NOTE + line * NOTE_SIGNATURES_MAX)
    with pytest.raises(LogError):
        read_note(C2SP_NOTE, bytes_max=len(C2SP_NOTE) - 1)
    assert read_note(C2SP_NOTE, bytes_max=len(C2SP_NOTE)).signatures
    with pytest.raises(LogError):
        read_signature(f"— {'n' * 256} {b64encode(bytes(68)).decode()}\n")


def test_a_note_of_sixteen_signatures_is_read() -> None:
    """Verifiers "MUST accept at least up to 16 signatures" -- C2SP signed-note."""
    note = sign_checkpoint(CHECKPOINT, signer=LOG)
    pairs = [sign_pair_from_seed(bytes([number]) * 32) for number in range(1, 17)]
    lines = [cosign(note.text, name=f"w{place}", signer=pair, now_ms=NOW_MS) for place, pair in enumerate(pairs)]
    whole = with_signatures(note, lines)
    keys = [NoteKey(name=f"w{place}", kind=TYPE_COSIGNATURE, public=pair.public) for place, pair in enumerate(pairs)]

    assert {f"w{place}": NOW_MS // 1000 for place in range(16)} == verify_note(read_note(whole.packed()), keys)
