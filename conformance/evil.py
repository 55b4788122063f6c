"""The evil sealer's command: write the vector files, or check that they are what it would write.

Everything it needs is fixed (secrets, clock, chance), so the files come out byte for byte the same; ids stay with the
names that they were first given to.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance import (
    evil_audiences,
    evil_authors,
    evil_bytes,
    evil_envelopes,
    evil_exchanges,
    evil_joint,
    evil_keys,
    evil_log,
    evil_overrides,
    evil_readers,
    evil_sequences,
    evil_silence,
    evil_trees,
    evil_wire,
    world,
)
from conformance.evil_book import Book, Case, released_hash
from conformance.requirements import SPEC_VERSION
from conformance.vectors import FOLDER, Outcome, Vector, VectorFile, every_vector, read_folder, write_file
from schemas.errors import STAGE_OF, Code, InputError, LogFault

# Each module enters its cases when it is imported; L3 is filled by three of them.
PAGES: Final = (
    evil_bytes,
    evil_keys,
    evil_envelopes,
    evil_authors,
    evil_audiences,
    evil_readers,
    evil_sequences,
    evil_joint,
    evil_exchanges,
    evil_overrides,
    evil_silence,
    evil_wire,
    evil_log,
    evil_trees,
)
BOOKS: Final = (
    evil_bytes.L0,
    evil_keys.L1,
    evil_keys.L2,
    evil_envelopes.L3,
    evil_audiences.L4,
    evil_wire.L5,
    evil_log.L6,
)


def known_ids(folder: Path) -> dict[str, str]:
    """Return the ids that names have already; none if there are no files yet."""
    try:
        return {vector.name: vector.id for vector in every_vector(read_folder(folder))}
    except InputError:
        return {}


def _assign(book: Book, known: Mapping[str, str]) -> dict[str, str]:
    mine = {name: id_ for name, id_ in known.items() if id_.startswith(f"{book.layer}-")}
    last = max((int(id_.rpartition("-")[2]) for id_ in mine.values()), default=0)
    for case in book.cases:
        if case.name not in mine:
            last += 1
            mine[case.name] = f"{book.layer}-{last:03d}"
    return mine


def _make(case: Case, ids: Mapping[str, str]) -> Vector:
    made = case.make()
    return Vector(
        id=ids[case.name],
        name=case.name,
        op=case.op,
        req=case.req,
        comment=case.comment,
        why=case.why,
        flags=(case.flag,) if case.flag else (),
        base=ids[case.base] if case.base else None,
        mutation=case.mutation,
        context=made.context,
        input=made.input,
        expect=Outcome(
            verdict=case.verdict,
            stage=STAGE_OF[case.code] if isinstance(case.code, Code) else None,
            code=case.code if isinstance(case.code, Code) else None,
            fault=case.code if isinstance(case.code, LogFault) else None,
            released=released_hash(made.plaintexts),
        ),
    )


def make_files(known: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each vector file by its name.

    Args:
        known: The ids that names have already.
    """
    files = {}
    for book in BOOKS:
        ids = _assign(book, known)
        vectors = sorted((_make(case, ids) for case in book.cases), key=lambda vector: vector.id)
        used = {flag for vector in vectors for flag in vector.flags}
        file = VectorFile(
            layer=book.layer,
            notes={flag: note for flag, note in sorted(book.notes.items()) if flag in used},
            fixtures=world.fixtures(),
            vectors=tuple(vectors),
        )
        files[f"{book.layer}.json"] = write_file(file, spec=SPEC_VERSION)
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance.evil", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files")
    parser.add_argument("--check", action="store_true", help="check that the files are up to date (the default)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files are")
    options = parser.parse_args(arguments)
    files = make_files(known_ids(options.folder))
    stale = []
    for name, text in files.items():
        path = options.folder / name
        if options.write:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"{name} is not what the generator writes; run: python -m conformance.evil --write\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
