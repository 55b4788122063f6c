"""The two MQTT topics of an agency (docs/spec/wire.md, "Topics").

Only the agency may publish on its ``up`` topic and only it may subscribe to its ``down`` topic. Nothing but the id
stands in a topic: no compartment, audience or subject.
"""

import re
from typing import Final

from schemas.names import AGENCY_ID_PATTERN

TOPIC_ROOT: Final = "sw/1"
_AGENCY_ID: Final = re.compile(AGENCY_ID_PATTERN, re.ASCII)


def up_topic(agency: str) -> str:
    """Return the topic on which the agency sends."""
    return f"{TOPIC_ROOT}/{agency}/up"


def down_topic(agency: str) -> str:
    """Return the topic on which the agency receives."""
    return f"{TOPIC_ROOT}/{agency}/down"


def is_agency_id(text: str) -> bool:
    """Tell whether the text has the form of an agency id; whether such an agency exists is the bundle's matter."""
    # fullmatch, since "$" would also match before a final newline.
    return _AGENCY_ID.fullmatch(text) is not None
