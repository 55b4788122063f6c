"""The journals of an exported log: each agency's own record, chained, with a head that the agency has signed."""

from hashlib import blake2b
from typing import Any, Final

from conformance.audit_checkpoints import is_of
from conformance.audit_reading import Audit, UnreadableError, canonical, read_line, read_note
from conformance.audit_reconcile import JournalEntry

JOURNALS: Final = "journals"
_JOURNAL = "sandiwara/journal/"
_NAMES: Final = frozenset({"number", "at_ms", "stage", "fields", "chain"})


def read_journal(audit: Audit, agency: str) -> tuple[JournalEntry, ...]:
    """Read an agency's journal up to where its chain breaks, and check its head."""
    file, head_file = f"{JOURNALS}/{agency}.jsonl", f"{JOURNALS}/{agency}.head"
    received = audit.read(file, agency, lambda whole: whole) or b""
    entries: list[JournalEntry] = []
    chain, offset = bytes(32), 0
    for line in received.splitlines(keepends=True):
        where = (offset, len(line))
        try:
            value = read_line(line.removesuffix(b"\n"), _NAMES)
        except UnreadableError as error:
            audit.add("changed", file, where, agency, f"{error}")
            return tuple(entries)
        linked = f"{value['number']}|{value['at_ms']}|{value['stage']}|".encode() + _text_of_fields(line, value)
        chain = blake2b(chain + linked, digest_size=32, person=b"sw1 journal").digest()
        if value["number"] != len(entries) + 1 or value["chain"] != chain.hex() or not line.endswith(b"\n"):
            audit.add("changed", file, where, agency, f"entry {len(entries) + 1} breaks the chain")
            return tuple(entries)
        entries.append(
            JournalEntry(
                file=file, offset=offset, length=len(line), stage=str(value["stage"]),
                fields=value["fields"] if isinstance(value["fields"], dict) else {},
            )
        )  # fmt: skip
        offset += len(line)
    note = audit.read(head_file, agency, read_note)
    if note is None:
        return tuple(entries)
    signed = len(note.signatures) == 1 and note.signatures[0].name == note.origin == _JOURNAL + agency
    if not signed or not is_of(note.signatures[0], note, audit.keys.agencies.get(agency, ())):
        length = len(note.text) + 1 + sum(line.length for line in note.signatures)
        audit.add("forged", head_file, (0, length), agency, "the head of the journal is not signed by its agency")
    elif (note.size, note.root) != (len(entries), chain):
        text = f"{len(entries)} entries where the head was signed for {note.size}, or another end"
        audit.add("dropped", file, (offset, 0), agency, text)
    return tuple(entries)


def _text_of_fields(line: bytes, value: dict[str, Any]) -> bytes:
    """Return the fields as the line has them: it is in its one spelling, so they begin and end where they must."""
    begin = len(f'{{"at_ms":{value["at_ms"]},"chain":,"fields":') + len(canonical(value["chain"]).encode())
    end = len(f',"number":{value["number"]},"stage":}}') + len(canonical(value["stage"]).encode())
    return line.removesuffix(b"\n")[begin:-end]
