"""All targets, by name."""

from typing import Final

from tests.fuzz.audit_target import AUDIT_TARGETS
from tests.fuzz.file_targets import FILE_TARGETS
from tests.fuzz.mqtt_targets import MQTT_TARGETS
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import WIRE_TARGETS

_ALL: Final = (*MQTT_TARGETS, *WIRE_TARGETS, *FILE_TARGETS, *AUDIT_TARGETS)
TARGETS: Final[dict[str, Target]] = {target.name: target for target in _ALL}
