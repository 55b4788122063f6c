"""The form in which vectors are written: a function that makes the bytes, under a header that says what they are.

The function's name is the vector's name, its docstring the fault in words; ids are given by ``conformance.evil``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from conformance import world
from conformance.evil_sealer import EvilSealer, Hook, Only, Plan, Sealed, cut
from schemas.errors import STAGE_OF, Code, LogFault

T = TypeVar("T")


class Made(NamedTuple):
    """What a function makes: the input, what the implementation knows beside it, and what it may release."""

    input: bytes
    context: Mapping[str, Any] = {}
    plaintexts: tuple[bytes, ...] | None = None


Maker = Callable[[], Made]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A vector before it has an id; ``base`` is the name of the vector that it differs from."""

    layer: str
    name: str
    op: str
    comment: str
    req: tuple[str, ...]
    why: str
    verdict: str
    code: Code | LogFault | None
    base: str | None
    mutation: str
    flag: str | None
    make: Maker


@dataclass(slots=True)
class Book:
    """The cases of one layer, in the order in which they are written."""

    layer: str
    notes: dict[str, dict[str, Any]]
    cases: list[Case] = field(default_factory=list)

    def accepts(
        self, op: str, *req: str, why: str, base: str | None = None, mutation: str = "", verdict: str = "accept"
    ) -> Callable[[Maker], Maker]:
        """Enter a vector that must be accepted: a control, a limit, or another spelling that is allowed."""
        return self._enter(op, req, why=why, base=base, mutation=mutation, verdict=verdict, code=None, flag=None)

    def rejects(
        self,
        code: Code | LogFault,
        op: str,
        *req: str,
        why: str,
        base: str | None,
        mutation: str,
        flag: str | None = None,
    ) -> Callable[[Maker], Maker]:
        """Enter a vector that must be rejected with exactly this code, or for exactly this fault of a log."""
        verdict = "not-for-me" if code is Code.NOT_FOR_ME else "reject"
        kept = None if code is Code.NOT_FOR_ME else code
        return self._enter(op, req, why=why, base=base, mutation=mutation, verdict=verdict, code=kept, flag=flag)

    def _enter(
        self,
        op: str,
        req: tuple[str, ...],
        *,
        why: str,
        base: str | None,
        mutation: str,
        verdict: str,
        code: Code | LogFault | None,
        flag: str | None,
    ) -> Callable[[Maker], Maker]:
        def enter(make: Maker) -> Maker:
            self.cases.append(
                Case(
                    layer=self.layer,
                    name=make.__name__.strip("_").replace("_", "-"),
                    op=op,
                    comment=(make.__doc__ or "").strip(),
                    req=req,
                    why=why,
                    verdict=verdict,
                    code=code,
                    base=base and base.replace("_", "-"),
                    mutation=mutation,
                    flag=flag,
                    make=make,
                )
            )
            return make

        return enter


def named(name: str, doc: str, make: Maker) -> Maker:
    """Return a maker under a name of its own, for vectors that come in rows."""

    def maker() -> Made:
        return make()

    maker.__name__ = name
    maker.__doc__ = doc
    return maker


def stage_of(code: Code | None) -> str | None:
    """Return the stage that a code belongs to."""
    return None if code is None else STAGE_OF[code].value


def released_hash(plaintexts: tuple[bytes, ...] | None) -> str | None:
    """Return the hash by which a vector names what may be released."""
    return None if plaintexts is None else sha256(b"".join(plaintexts)).hexdigest()


# Hooks that many cases use.


def put(index: int, value: Any) -> Hook:
    """Replace one field of an array."""
    return lambda fields: (*fields[:index], value, *fields[index + 1 :])


def change(index: int, alter: Hook) -> Hook:
    """Alter one field of an array."""
    return lambda fields: (*fields[:index], alter(fields[index]), *fields[index + 1 :])


def drop(index: int) -> Hook:
    """Leave one field of an array out."""
    return lambda fields: (*fields[:index], *fields[index + 1 :])


def always(value: Any) -> Hook:
    """Replace whatever comes."""
    return lambda _value: value


def flip(at: int = 0) -> Hook:
    """Turn the lowest bit of one byte."""
    return lambda old: old[:at] + bytes([old[at] ^ 1]) + (old[at + 1 :] if at != -1 else b"")


def note(kept: list[Any]) -> Hook:
    """Keep what comes, and pass it on."""

    def keep(value: Any) -> Any:
        kept.append(value)
        return value

    return keep


def swap(items: Any) -> Any:
    """Exchange the first two of a list."""
    return [items[1], items[0], *items[2:]]


# Envelopes.


def sealed(plan: Plan | None = None, **changes: Any) -> tuple[Sealed, bytes]:
    """Seal and release; keyword arguments are fields of the plan."""
    sealer = EvilSealer(plan or Plan(**changes))
    message = sealer.seal()
    return message, sealer.release(message)


def envelope(**changes: Any) -> bytes:
    """Return an envelope for the router."""
    return sealed(**changes)[1]


def hooked(**hooks: Hook | Only) -> bytes:
    """Return an envelope that goes wrong at these steps; ``_`` in a name stands for ``-``."""
    return envelope(hooks={name.replace("_", "-"): hook for name, hook in hooks.items()})


def route(made: bytes, *, sender: str = "alpha", now: int | None = None, earlier: tuple[Any, ...] = ()) -> Made:
    """Hand an envelope to the router, after earlier ones as pairs of sender and envelope."""
    context: dict[str, Any] = {"sender": sender}
    if now is not None:
        context["now"] = now
    if earlier:
        context["earlier"] = [{"sender": before, "envelope": bytes_.hex()} for before, bytes_ in earlier]
    return Made(made, context)


def read(made: bytes, *, me: str = "bravo", plaintexts: tuple[bytes, ...] | None = None, **hooks: Hook) -> Made:
    """Hand a reader its cut of an envelope; hooks are steps of the cut."""
    return Made(cut(made, me, {name.replace("_", "-"): hook for name, hook in hooks.items()}), {"me": me}, plaintexts)


Row = tuple[str, Code, str, str, str, str | None, Maker]


def enter_rows(book: Book, rows: tuple[Row, ...], *, op: str, base: str) -> None:
    """Enter rows of name, code, requirement, fault, why, flag, maker."""
    for name, code, req, fault, why, flag, make in rows:
        enter = book.rejects(code, op, req, base=base, mutation=fault[:-1], why=why, flag=flag)
        enter(named(name, fault, make))


def at(**hooks: Hook | Only) -> Maker:
    """Return a maker of an envelope for the router that goes wrong at these steps."""
    return lambda: route(hooked(**hooks))


def plan(*, sender: str = "alpha", now: int | None = None, **changes: Any) -> Maker:
    """Return a maker of an envelope for the router that departs from the plan."""
    return lambda: route(envelope(**changes), sender=sender, now=now)


__all__ = [
    "Book",
    "Case",
    "Made",
    "Only",
    "Row",
    "always",
    "at",
    "change",
    "drop",
    "enter_rows",
    "envelope",
    "flip",
    "hooked",
    "named",
    "note",
    "plan",
    "put",
    "read",
    "released_hash",
    "route",
    "sealed",
    "stage_of",
    "swap",
    "world",
]
