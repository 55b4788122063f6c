"""A second opinion on STIX objects by the ``stix2`` library, where that optional extra is installed.

The import never depends on it: our own checks decide what is read. What the library objects to becomes a warning.
"""

import importlib.util
import warnings
from collections.abc import Sequence
from typing import Final

from agencies.intake.shapes import Findings
from agencies.intake.stix_objects import StixObject

OWN_CHECKS: Final = "our own checks of structure and markings"

# Measured: 0.2 ms an object, and up to 1 ms for each pattern. The rest of a large file goes without.
_OBJECTS_MAX: Final = 1_000
_PATTERN_CHARS_MAX: Final = 2_000  # the pattern parser is recursive, and slow on hostile input


def validate(objects: Sequence[StixObject], *, findings: Findings) -> str:
    """Let ``stix2`` look at the objects, and return in words what they were checked against."""
    if importlib.util.find_spec("stix2") is None:
        return OWN_CHECKS
    import stix2  # an optional extra, and 0.2 s to import: only here

    looked_at = objects[:_OBJECTS_MAX]
    # The library warns of matters that concern its own future, and a warning may be an error where we run.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in looked_at:
            pattern = each.content.get("pattern")
            if isinstance(pattern, str) and len(pattern) > _PATTERN_CHARS_MAX:
                continue
            try:
                stix2.parse(dict(each.content), allow_custom=True, version="2.1")
            except Exception as error:  # noqa: BLE001 - it raises dozens of kinds, and none of them decides anything here
                # The text of its errors quotes content; the name of the error does not.
                findings.add(f"the stix2 library objects: {type(error).__name__}", each.place)
    if len(looked_at) < len(objects):
        return f"{OWN_CHECKS}, and stix2 for the first {_OBJECTS_MAX} objects"
    return f"{OWN_CHECKS}, and stix2"
