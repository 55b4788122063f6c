"""The register of requirements: docs/spec/*.md read into requirements.json, and the lint that keeps both honest.

The pages are the source and the register is written from them, so that tests, vectors and reports can name a
requirement and know its level, class and text without reading prose. The grammar is that of docs/spec/README.md.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from schemas.errors import InputError

SPEC_VERSION: Final = "1.0"
SPEC_FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "spec"
REGISTER_NAME: Final = "requirements.json"
AREAS: Final = (
    "ENV", "KEY", "CHK", "SEQ", "RCL", "RCPT", "REQ", "RFI", "CRD", "SIL", "OVR", "WIRE", "BRK", "RTR", "NTK", "AUD",
)  # fmt: skip
CLASSES: Final = frozenset({"C1", "C2", "C3", "C4"})
ROLES: Final = frozenset({"sender", "receiver", "both"})
FEATURES: Final = frozenset({
    "core", "recall", "receipt", "consent", "rfi", "coordination", "joint", "override", "chunked", "persistence",
    "audit", "tls",
})  # fmt: skip

_ID: Final = rf"(?:{'|'.join(AREAS)})-\d{{3}}"
_BULLET: Final = re.compile(rf"- \[({_ID})\] (.+)")
_UNNUMBERED: Final = re.compile(rf"^- \[({'|'.join(AREAS)})-new\]", re.MULTILINE)
_ANY_ID: Final = re.compile(rf"\[{_ID}\]")
_APPLIES: Final = re.compile(r"\*Applies to: (.+)\*")
_HEADING: Final = re.compile(r"#{1,6} (.+)")
_BRACES: Final = re.compile(r" \{([^{}]+)\}$")
_KEY_WORD: Final = re.compile(r"\b(MUST NOT|MUST|SHALL|REQUIRED|SHOULD NOT|SHOULD|RECOMMENDED|MAY|OPTIONAL)\b")
_CODE: Final = re.compile(r"`[^`]*`")
_LEVELS: Final = {"MUST": "MUST", "MUST NOT": "MUST", "SHOULD": "SHOULD", "SHOULD NOT": "SHOULD", "MAY": "MAY"}
_WITHDRAWN: Final = re.compile(r"WITHDRAWN in (\d+\.\d+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whom a requirement binds.

    Attributes:
        classes: Of C1 to C4.
        role: Sender, receiver or both.
        feature: ``core``, or the feature whose claim brings the requirement.
        testable: ``yes``, or why no test from outside can tell.
        since: The version of the specification that brought it.
    """

    classes: tuple[str, ...]
    role: str
    feature: str = "core"
    testable: str = "yes"
    since: str = SPEC_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement; ``anchor`` is page and heading. A withdrawn one has the level ``WITHDRAWN``."""

    id: str
    text: str
    anchor: str
    level: str
    scope: Scope

    def as_json(self) -> dict[str, object]:
        """Return the form of the register."""
        scope = asdict(self.scope)
        return {
            "id": self.id,
            "level": self.level,
            "class": list(scope.pop("classes")),
            **scope,
            "anchor": self.anchor,
            "text": self.text,
        }


def _refuse(page: str, line: int, what: str, remedy: str) -> InputError:
    return InputError(f"{page}, line {line}: {what}", remedy=remedy)


def _read_scope(words: str, *, base: Scope | None, page: str, line: int) -> Scope:
    """Read ``C1 C2 receiver, chunked`` or the like; what is left out is taken from ``base``."""
    reason = ""
    if "untestable:" in words:
        words, _, reason = words.partition("untestable:")
    named = re.split(r"[ ,]+", words.strip(" ,"))
    classes = tuple(word for word in named if word in CLASSES) or (base.classes if base else ())
    roles = [word for word in named if word in ROLES] or ([base.role] if base else [])
    features = [word for word in named if word in FEATURES]
    unknown = [word for word in named if word and word not in CLASSES | ROLES | FEATURES]
    if unknown or not classes or len(roles) != 1 or len(features) > 1:
        remedy = "give classes C1 to C4, one of sender, receiver, both, and at most one feature"
        raise _refuse(page, line, f"the scope {words!r} cannot be read", remedy)
    feature = features[0] if features else (base.feature if base else "core")
    return Scope(
        classes=classes, role=roles[0], feature=feature, testable=f"no ({reason.strip()})" if reason else "yes"
    )


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def read_page(page: str, text: str) -> Iterator[Requirement]:
    """Yield the requirements of one page, and refuse what breaks the grammar.

    Raises:
        InputError: On a key word outside a requirement, a requirement with none or two, or a scope that is missing.
    """
    scope: Scope | None = None
    anchor = page
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        if heading := _HEADING.fullmatch(line):
            anchor = f"{page}#{_slug(heading[1])}"
        elif applies := _APPLIES.fullmatch(line):
            scope = _read_scope(applies[1], base=None, page=page, line=number)
        elif bullet := _BULLET.fullmatch(line):
            yield _read_bullet(bullet[1], bullet[2], scope=scope, anchor=anchor, line=number)
        elif _KEY_WORD.search(_CODE.sub("", line)) or _ANY_ID.search(line):
            remedy = "make it a bullet that begins with its id, on one line, or write the word in small letters"
            raise _refuse(page, number, "a key word or an id outside a requirement", remedy)


def _read_bullet(name: str, body: str, *, scope: Scope | None, anchor: str, line: int) -> Requirement:
    page = anchor.partition("#")[0]
    if scope is None:
        raise _refuse(page, line, f"{name} stands before any scope", "put an *Applies to* line above it")
    braces = _BRACES.search(body)
    own = _read_scope(braces[1], base=scope, page=page, line=line) if braces else scope
    text = _BRACES.sub("", body)
    if _WITHDRAWN.fullmatch(text):
        return Requirement(id=name, text=text, anchor=anchor, level="WITHDRAWN", scope=own)
    prose = _CODE.sub("`", text)
    found = _KEY_WORD.findall(prose)
    if len(found) != 1 or found[0] not in _LEVELS or not text.endswith(".") or re.search(r"\. [A-Z]", prose):
        remedy = "write one sentence with one of MUST, SHOULD, MAY, and part the rest off"
        raise _refuse(page, line, f"{name} is not one sentence with one key word", remedy)
    return Requirement(id=name, text=text, anchor=anchor, level=_LEVELS[found[0]], scope=own)


def read_spec(folder: Path) -> tuple[Requirement, ...]:
    """Read all pages of a specification; sorted by area and number.

    Raises:
        InputError: As ``read_page``; also for an id that stands twice, or a bullet without a number.
    """
    found: dict[str, Requirement] = {}
    for path in sorted(folder.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if _UNNUMBERED.search(text):
            msg = f"{path.name} has requirements without a number"
            raise InputError(msg, remedy="run: python -m conformance.requirements --write")
        for requirement in read_page(path.name, text):
            if requirement.id in found:
                msg = f"{requirement.id} stands twice: {found[requirement.id].anchor} and {requirement.anchor}"
                raise InputError(msg, remedy="give the newer one a number of its own")
            found[requirement.id] = requirement
    return tuple(sorted(found.values(), key=_order))


def _order(requirement: Requirement) -> tuple[int, str]:
    return AREAS.index(requirement.id.partition("-")[0]), requirement.id


def number_new(folder: Path, *, taken: Iterable[str]) -> int:
    """Give the bullets that say ``-new`` the next free numbers of their areas; returns how many there were."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    used = {*taken, *(match[1] for text in pages.values() for match in re.finditer(rf"\[({_ID})\]", text))}
    last = {area: max((int(name[-3:]) for name in used if name.startswith(f"{area}-")), default=0) for area in AREAS}
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        last[match[1]] += 1
        return f"- [{match[1]}-{last[match[1]]:03d}]"

    for path, text in pages.items():
        numbered = _UNNUMBERED.sub(number, text)
        if numbered != text:
            path.write_text(numbered, encoding="utf-8")
    return count


def write_register(requirements: Sequence[Requirement]) -> str:
    """Return the register's text: one requirement a line, so that a change shows as one line."""
    lines = ",\n".join(
        "    " + json.dumps(requirement.as_json(), ensure_ascii=False, separators=(", ", ": "))
        for requirement in requirements
    )
    return f'{{\n  "spec": "{SPEC_VERSION}",\n  "requirements": [\n{lines}\n  ]\n}}\n'


def read_register(path: Path) -> tuple[Requirement, ...]:
    """Read a register.

    Raises:
        InputError: If it is missing or is none.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["requirements"]
        return tuple(
            Requirement(
                id=row["id"],
                text=row["text"],
                anchor=row["anchor"],
                level=row["level"],
                scope=Scope(
                    classes=tuple(row["class"]),
                    role=row["role"],
                    feature=row["feature"],
                    testable=row["testable"],
                    since=row["since"],
                ),
            )
            for row in rows
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is no register of requirements: {error}"
        raise InputError(msg, remedy="run: python -m conformance.requirements --write") from error


def keep_history(requirements: Sequence[Requirement], before: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Take over ``since`` from the register before, and refuse the loss or return of an id.

    Raises:
        InputError: If an id is gone without saying that it is withdrawn, or a withdrawn one has come back.
    """
    now = {requirement.id: requirement for requirement in requirements}
    for old in before:
        new = now.get(old.id)
        if new is None or (old.level == "WITHDRAWN" and new.level != "WITHDRAWN"):
            msg = f"{old.id} {'is gone' if new is None else 'was withdrawn and is used again'}"
            raise InputError(msg, remedy=f"keep the bullet and write: - [{old.id}] WITHDRAWN in <version>.")
        now[old.id] = replace(new, scope=replace(new.scope, since=old.scope.since))
    return tuple(now[requirement.id] for requirement in requirements)


def check(folder: Path) -> tuple[Requirement, ...]:
    """Check pages and register against each other.

    Raises:
        InputError: Also if the register is stale.
    """
    path = folder / REGISTER_NAME
    requirements = keep_history(read_spec(folder), read_register(path))
    if path.read_text(encoding="utf-8") != write_register(requirements):
        msg = f"{path} is not what the pages say"
        raise InputError(msg, remedy="run: python -m conformance.requirements --write")
    return requirements


def write(folder: Path) -> tuple[Requirement, ...]:
    """Number what is new, and write the register.

    Raises:
        InputError: As ``read_spec`` and ``keep_history``.
    """
    path = folder / REGISTER_NAME
    before = read_register(path) if path.exists() else ()
    number_new(folder, taken=(old.id for old in before))
    requirements = keep_history(read_spec(folder), before)
    path.write_text(write_register(requirements), encoding="utf-8")
    return requirements


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance.requirements", description=__doc__)
    parser.add_argument("--write", action="store_true", help="number what is new and write the register")
    parser.add_argument("--check", action="store_true", help="check that pages and register agree (the default)")
    parser.add_argument("--folder", type=Path, default=SPEC_FOLDER, help="where the pages are")
    options = parser.parse_args(arguments)
    try:
        requirements = write(options.folder) if options.write else check(options.folder)
    except InputError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        return 1
    levels = {level: sum(item.level == level for item in requirements) for level in ("MUST", "SHOULD", "MAY")}
    told = ", ".join(f"{count} {level}" for level, count in levels.items())
    sys.stdout.write(f"{len(requirements)} requirements: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
