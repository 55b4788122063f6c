"""Observables in free text: addresses, domains, hashes, in the disguises in which analysts write them.

Used by the tear-line linter: an indicator that was to stay above the line is found below it however it is spelled.
"""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from typing import Final, Literal, NamedTuple

ObservableKind = Literal["address", "domain", "hash", "vulnerability"]

# "Defanging": written so that nobody clicks on it by mistake.
_DISGUISES: Final = (
    (re.compile(r"hxxp", re.IGNORECASE), "http"),
    (re.compile(r"\s?[\[({]\s?(?:\.|dot)\s?[\])}]\s?", re.IGNORECASE), "."),
    (re.compile(r"\s?[\[({]\s?(?:@|at)\s?[\])}]\s?", re.IGNORECASE), "@"),
    (re.compile(r"[\[({]:[\])}]"), ":"),
)
_ADDRESS: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_DOMAIN: Final = re.compile(
    r"(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?![\w-])", re.IGNORECASE
)
_MAIL_DOMAIN: Final = re.compile(r"(?<=@)(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}", re.IGNORECASE)
_HASH: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{8,128}(?![0-9a-z])", re.IGNORECASE)
_VULNERABILITY: Final = re.compile(r"CVE-\d{4}-\d{4,7}", re.IGNORECASE)
_WHOLE_HASH_CHARS: Final = 32  # MD5, the shortest that is in use


class Observable(NamedTuple):
    """One observable: its kind, its one spelling, and as it stood in the text."""

    kind: ObservableKind
    value: str
    text: str

    def kinship(self, other: "Observable") -> str | None:
        """Say in words how this tells of another observable, or return None if it does not."""
        if self.kind != other.kind:
            return None
        if self.value == other.value:
            return f"the same {self.kind}"
        match self.kind:
            case "address" if self.value.rpartition(".")[0] == other.value.rpartition(".")[0]:
                return "an address of the same network"
            case "domain" if _owner(self.value) == _owner(other.value):
                return "a domain of the same owner"
            case "hash" if self.value.startswith(other.value) or other.value.startswith(self.value):
                return "the beginning of the same hash"
            case _:
                return None


def observables_in(text: str) -> Iterator[Observable]:
    """Yield the observables of a text, each as often as it stands there."""
    plain = text
    for disguise, meant in _DISGUISES:
        plain = disguise.sub(meant, plain)
    for found in _ADDRESS.finditer(plain):
        try:
            yield Observable("address", str(IPv4Address(found[0])), found[0])
        except AddressValueError:
            continue
    for pattern in (_DOMAIN, _MAIL_DOMAIN):
        for found in pattern.finditer(plain):
            yield Observable("domain", found[0].casefold(), found[0])
    for found in _HASH.finditer(plain):
        # Shorter than a whole one it must look like a hash: letters and digits, and not a year or a count.
        if len(found[0]) >= _WHOLE_HASH_CHARS or not (found[0].isdigit() or found[0].isalpha()):
            yield Observable("hash", found[0].casefold(), found[0])
    for found in _VULNERABILITY.finditer(plain):
        yield Observable("vulnerability", found[0].upper(), found[0])


def _owner(domain: str) -> str:
    """Return what was registered, near enough: the last two labels, or three below a short one such as ``co.th``."""
    labels = domain.split(".")
    short_second = len(labels) > 2 and len(labels[-2]) <= 3  # noqa: PLR2004 - co, com, go, gov, net, or
    return ".".join(labels[-3:] if short_second else labels[-2:])
