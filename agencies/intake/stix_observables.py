"""What can be looked for in a STIX object: observable values, patterns, vulnerability ids, and positions."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agencies.intake.plain_text import as_word, one_line, printable, scalar
from schemas.report import MICRODEGREES, Indicator, Place

_VALUE_CHARS_MAX: Final = 4_096  # schemas.report.Indicator.value
_NOTE_CHARS_MAX: Final = 400
_RADIUS_M_MAX: Final = 20_040_000  # half the way round the Earth, as schemas.report.Place has it

# The property that identifies a cyber observable, where it is not called ``value`` (STIX 2.1, chapter 6).
_PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "artifact": ("url",),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "email-message": ("subject", "message_id"),
    "file": ("name",),
    "mutex": ("name",),
    "process": ("command_line",),
    "software": ("cpe", "name"),
    "user-account": ("account_login", "user_id"),
    "windows-registry-key": ("key",),
    "x509-certificate": ("serial_number",),
}
_PLAIN_VALUES: Final = frozenset(
    {"ipv4-addr", "ipv6-addr", "domain-name", "url", "mac-addr", "email-addr", "cryptocurrency-wallet"}
)
_HASHED: Final = frozenset({"file", "artifact", "x509-certificate"})

# A pattern that compares one property with one constant: the only kind whose value can be taken out of it.
_ONE_COMPARISON: Final = re.compile(
    r"\s*\[\s*([a-z0-9-]{1,64}):([A-Za-z0-9_.-]{1,64}(?:'[A-Za-z0-9-]{1,32}')?)\s*=\s*'((?:[^'\\]|\\.)*+)'\s*\]\s*"
)


def indicators_of(kind: str, part: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Indicator]:
    """Yield the indicators in a part of an object.

    Args:
        kind: The object's type.
        part: What of the object stands in the portion.
        whole: The object, for the words that say how to read the part (such as ``pattern_type``).
    """
    note = " ".join(str(part[name]) for name in ("id", "name") if isinstance(part.get(name), str))
    if kind == "indicator":
        yield from _pattern(part.get("pattern"), whole.get("pattern_type"), note)
    elif kind == "observed-data":
        embedded = part.get("objects")
        for content in embedded.values() if isinstance(embedded, dict) else ():
            if isinstance(content, dict) and isinstance(content.get("type"), str):
                yield from _observable(content["type"], content, note)
    elif kind == "vulnerability":
        references = part.get("external_references")
        for reference in references if isinstance(references, list) else ():
            if isinstance(reference, dict) and reference.get("source_name") == "cve":
                yield from _indicator("vulnerability", reference.get("external_id"), note)
    else:
        yield from _observable(kind, part, note)


def _observable(kind: str, part: Mapping[str, Any], note: str) -> Iterator[Indicator]:
    names = ("value",) if kind in _PLAIN_VALUES else _PROPERTIES.get(kind, ())
    for name in names:
        yield from _indicator(kind, part.get(name), note)
    hashes = part.get("hashes")
    if kind in _HASHED and isinstance(hashes, dict):
        for algorithm, digest in hashes.items():
            # The spelling of MISP and of most tools: SHA-256 is sha256, but SHA3-256 is not.
            word = algorithm.lower()
            yield from _indicator(word.replace("-", "", 1) if re.fullmatch("sha-[0-9]+", word) else word, digest, note)


def _pattern(pattern: Any, pattern_type: Any, note: str) -> Iterator[Indicator]:
    if not isinstance(pattern, str):
        return
    single = _ONE_COMPARISON.fullmatch(pattern) if pattern_type == "stix" and len(pattern) <= _VALUE_CHARS_MAX else None
    if single is not None:
        kind, path, value = single[1], single[2].replace("'", ""), re.sub(r"\\(.)", r"\1", single[3])
        if path.startswith("hashes."):
            yield from _observable(kind, {"hashes": {path.removeprefix("hashes."): value}}, note)
        else:
            yield from _indicator(kind if path == "value" else f"{kind}:{path}", value, note)
    kind = f"{pattern_type}-pattern" if isinstance(pattern_type, str) else "pattern"
    yield from _indicator(kind, pattern, note)


def _indicator(kind: str, value: Any, note: str) -> Iterator[Indicator]:
    """Yield it if it has a value that fits; what does not fit stands in the text all the same."""
    if value is None or isinstance(value, (dict, list, bool)):
        return
    text = scalar(value).strip()
    word = as_word(printable(kind))
    if word and text and len(text) <= _VALUE_CHARS_MAX:
        yield Indicator(kind=word, value=text, note=one_line(note, chars_max=_NOTE_CHARS_MAX))


def places_of(kind: str, part: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the position of a location, if it states one."""
    latitude, longitude = part.get("latitude"), part.get("longitude")
    if kind != "location" or latitude is None or longitude is None:
        return
    if not _is_degrees(latitude, 90) or not _is_degrees(longitude, 180):
        return
    name = part.get("name")
    # "Defines the precision of the coordinates … in meters" -- STIX 2.1, 4.11.1. Without it nothing is claimed.
    precision = part.get("precision")
    stated = isinstance(precision, (int, float)) and not isinstance(precision, bool) and 0 < precision <= _RADIUS_M_MAX
    yield Place(
        name=one_line(name, chars_max=200) if isinstance(name, str) else "",
        latitude_micro=round(latitude * MICRODEGREES),
        longitude_micro=round(longitude * MICRODEGREES),
        quality="approximate" if stated else "unknown",
        radius_m=math.ceil(precision) if stated and precision is not None else 0,
    )


def _is_degrees(value: Any, limit: int) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= limit
