"""What an imported portion is about: a topic of the taxonomy, from the words of closed vocabularies only, never prose.

A topic is part of a label, which more may read than the content: so it is derived from each portion alone.

| found in the portion                                                                        | topic               |
|---------------------------------------------------------------------------------------------|---------------------|
| a STIX label or MISP tag that is itself a code, such as ``toc.piracy``                       | that code           |
| STIX ``malware_types`` or label ``ransomware``; a MISP galaxy or tag value ``ransomware``    | cyber.ransomware    |
| an external reference to MITRE ATLAS; a MISP galaxy ``mitre-atlas…``                         | ai.misuse           |
| the label or tag value ``phishing``; MISP category "Financial fraud"                         | cyber.fraud         |
| a STIX ``malware`` or ``malware-analysis``; MISP categories of payloads                      | cyber.malware       |
| a STIX ``vulnerability``; a MISP type ``vulnerability`` or ``cve``                           | cyber.vulnerability |
| anything else                                                                               | cyber.incident      |

Where several are found, the one that stands highest in the table holds.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

FALLBACK: Final = "cyber.incident"
_ORDER: Final = ("cyber.ransomware", "ai.misuse", "cyber.fraud", "cyber.malware", "cyber.vulnerability", FALLBACK)

# The families of the taxonomy, so that a label such as "v1.beta" is not taken for a topic.
_CODE: Final = re.compile(r"(?:ai|bio|cyber|hadr|toc)\.[a-z0-9]+(?:-[a-z0-9]+)*")
_CODE_CHARS_MAX: Final = 64  # schemas.names.Topic
_WORDS: Final[Mapping[str, str]] = {
    "ransomware": "cyber.ransomware",
    "ransom": "cyber.ransomware",
    "phishing": "cyber.fraud",
    "scam": "cyber.fraud",
}
_CATEGORIES: Final[Mapping[str, str]] = {
    "Financial fraud": "cyber.fraud",
    "Antivirus detection": "cyber.malware",
    "Payload delivery": "cyber.malware",
    "Payload installation": "cyber.malware",
    "Artifacts dropped": "cyber.malware",
}
_OBJECT_TYPES: Final[Mapping[str, str]] = {
    "malware": "cyber.malware",
    "malware-analysis": "cyber.malware",
    "vulnerability": "cyber.vulnerability",
    "cve": "cyber.vulnerability",
}


def choose(found: Iterable[str]) -> str:
    """Choose among the topics found in one portion; codes that stood there as such come first, in code order."""
    topics = set(found)
    written = sorted(topics - set(_ORDER))
    if written:
        return written[0]
    return next((topic for topic in _ORDER if topic in topics), FALLBACK)


def of_label(label: str) -> Iterator[str]:
    """Yield what a STIX label or a MISP tag says: its last part, as in ``rsit:fraud="phishing"``, is the word."""
    text = label.strip().lower()
    if len(text) <= _CODE_CHARS_MAX and _CODE.fullmatch(text):
        yield text
    if text.startswith("misp-galaxy:"):
        galaxy = text.removeprefix("misp-galaxy:").partition("=")[0]
        if galaxy.startswith("mitre-atlas"):
            yield "ai.misuse"
        elif galaxy == "ransomware":
            yield "cyber.ransomware"
        return
    word = re.split(r"[:=]", text)[-1].strip("\"' ")
    if word in _WORDS:
        yield _WORDS[word]


def of_stix(kind: str, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a STIX object, or the part of it that stands in a portion, is about."""
    if kind in _OBJECT_TYPES:
        yield _OBJECT_TYPES[kind]
    for name in ("labels", "malware_types", "report_types", "indicator_types"):
        words = content.get(name)
        for word in words if isinstance(words, list) else ():
            if isinstance(word, str):
                yield from of_label(word)
    references = content.get("external_references")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("source_name") == "mitre-atlas":
            yield "ai.misuse"


def of_misp(*, category: str, kind: str, tags: Iterable[str]) -> Iterator[str]:
    """Yield what a MISP attribute or event is about."""
    if category in _CATEGORIES:
        yield _CATEGORIES[category]
    if kind in _OBJECT_TYPES:
        yield _OBJECT_TYPES[kind]
    for tag in tags:
        yield from of_label(tag)
