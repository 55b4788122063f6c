"""The data representations and properties of MQTT 5 (sections 1.5 and 2.2.2), read strictly.

Every read is bounded by the packet it stands in, costs time linear in its own length, and refuses what the standard
calls malformed: other spellings of an integer, text that is not UTF-8, a property twice or in the wrong packet.
"""

import enum
from collections.abc import Mapping
from typing import Final

from schemas.errors import Code, RemoteError


class Reason(enum.IntEnum):
    """The MQTT 5 reason codes that this server sends or understands (section 2.4)."""

    SUCCESS = 0x00
    NO_SUBSCRIPTION_EXISTED = 0x11
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORISED = 0x87
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


class MalformedPacketError(RemoteError):
    """A packet that the standard, or what our CONNACK announced, forbids.

    Args:
        message: What is wrong; never holds bytes of the packet.
        reason: The reason code for the DISCONNECT, where one may be sent.
    """

    def __init__(self, message: str, *, reason: Reason = Reason.MALFORMED_PACKET) -> None:
        super().__init__(Code.TOO_BIG if reason is Reason.PACKET_TOO_LARGE else Code.SHAPE, message)
        self.reason = reason


class Property(enum.IntEnum):
    """The properties that a client may send to a server (table 2-4)."""

    PAYLOAD_FORMAT_INDICATOR = 0x01
    MESSAGE_EXPIRY_INTERVAL = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_IDENTIFIER = 0x0B
    SESSION_EXPIRY_INTERVAL = 0x11
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY_INTERVAL = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27


PropertyValue = int | str | bytes
Properties = Mapping[Property, PropertyValue]

_FLAGS: Final = frozenset(
    {
        Property.PAYLOAD_FORMAT_INDICATOR,
        Property.REQUEST_PROBLEM_INFORMATION,
        Property.REQUEST_RESPONSE_INFORMATION,
    }
)
_UINT16: Final = frozenset({Property.RECEIVE_MAXIMUM, Property.TOPIC_ALIAS_MAXIMUM, Property.TOPIC_ALIAS})
_UINT32: Final = frozenset(
    {
        Property.MESSAGE_EXPIRY_INTERVAL,
        Property.SESSION_EXPIRY_INTERVAL,
        Property.WILL_DELAY_INTERVAL,
        Property.MAXIMUM_PACKET_SIZE,
    }
)
_BINARY: Final = frozenset({Property.CORRELATION_DATA, Property.AUTHENTICATION_DATA})
# "It is a Protocol Error for the value to be 0" -- 3.1.2.11.3, 3.1.2.11.4, 3.8.2.1.2
_NEVER_ZERO: Final = frozenset(
    {Property.RECEIVE_MAXIMUM, Property.MAXIMUM_PACKET_SIZE, Property.SUBSCRIPTION_IDENTIFIER}
)
_PROPERTY_OF: Final[Mapping[int, Property]] = {known.value: known for known in Property}
_NO_PROPERTIES: Final[Properties] = {}

# Properties say nothing to us that takes more; a megabyte of user properties would cost half a second to read over.
PROPERTIES_BYTES_MAX: Final = 4 * 1024
VARIABLE_INTEGER_BYTES_MAX: Final = 4  # section 1.5.5; so no length exceeds 268,435,455


class FieldReader:
    """Reads the fields of one packet body in order, and never past its end."""

    __slots__ = ("_at", "_body", "_end")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._end = len(body)

    @property
    def exhausted(self) -> bool:
        """Whether the body has been read to its end."""
        return self._at == self._end

    def _take(self, length: int) -> int:
        """Step over ``length`` bytes and return where they begin."""
        start = self._at
        if length > self._end - start:
            msg = "a field runs past the end of its packet"
            raise MalformedPacketError(msg)
        self._at = start + length
        return start

    def uint8(self) -> int:
        """Read one byte."""
        return self._body[self._take(1)]

    def uint16(self) -> int:
        """Read a two byte integer (1.5.2)."""
        start = self._take(2)
        return self._body[start] << 8 | self._body[start + 1]

    def uint32(self) -> int:
        """Read a four byte integer (1.5.3)."""
        start = self._take(4)
        return int.from_bytes(self._body[start : start + 4], "big")

    def variable_integer(self) -> int:
        """Read a variable byte integer (1.5.5)."""
        value = 0
        for place in range(VARIABLE_INTEGER_BYTES_MAX):
            digit = self.uint8()
            value |= (digit & 0x7F) << 7 * place
            if digit < 0x80:  # noqa: PLR2004 -- the continuation bit
                # "The encoded value MUST use the minimum number of bytes" -- MQTT-1.5.5-1
                if place and not digit:
                    break
                return value
        msg = "a variable byte integer is too long"
        raise MalformedPacketError(msg)

    def binary(self) -> bytes:
        """Read binary data (1.5.6)."""
        length = self.uint16()
        start = self._take(length)
        return self._body[start : start + length]

    def text(self) -> str:
        """Read a UTF-8 encoded string (1.5.4)."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError as error:
            # "If the Server or Client receives … ill-formed UTF-8 it is a Malformed Packet" -- MQTT-1.5.4-1
            msg = "a string is not UTF-8"
            raise MalformedPacketError(msg) from error
        # "MUST NOT include an encoding of the null character U+0000" -- MQTT-1.5.4-2
        if "\0" in text:
            msg = "a string holds the null character"
            raise MalformedPacketError(msg)
        return text

    def packet_id(self) -> int:
        """Read a packet identifier, which is never zero (MQTT-2.2.1-3)."""
        packet_id = self.uint16()
        if not packet_id:
            msg = "a packet identifier is zero"
            raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
        return packet_id

    def rest(self) -> bytes:
        """Read all that is left."""
        start = self._at
        self._at = self._end
        return self._body[start:]

    def properties(self, allowed: frozenset[Property]) -> Properties:
        """Read a property block (2.2.2); user properties are checked and dropped, since nothing forwards them.

        Raises:
            MalformedPacketError: On an unknown property, one that does not belong here, or one given twice.
        """
        length = self.variable_integer()
        if not length:
            return _NO_PROPERTIES
        if length > PROPERTIES_BYTES_MAX:
            msg = f"the properties of a packet exceed {PROPERTIES_BYTES_MAX} bytes"
            raise MalformedPacketError(msg, reason=Reason.QUOTA_EXCEEDED)
        outer_end = self._end
        end = self._take(length) + length
        self._at = end - length
        self._end = end
        found: dict[Property, PropertyValue] = {}
        while self._at < end:
            # Every identifier in use is below 128, so its variable byte integer is one byte long.
            name = _PROPERTY_OF.get(self.uint8())
            if name is None or name not in allowed:
                msg = "a property is unknown or does not belong into its packet"
                raise MalformedPacketError(msg)
            if name is Property.USER_PROPERTY:
                self.text()
                self.text()
                continue
            if name in found:
                msg = f"the property {name.name} is given twice"
                raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
            found[name] = self._property_value(name)
        self._end = outer_end
        return found

    def _property_value(self, name: Property) -> PropertyValue:
        """Read the value of one property by its type."""
        if name in _BINARY:
            return self.binary()
        if name in _FLAGS:
            value = self.uint8()
            if value > 1:
                msg = f"the property {name.name} is neither 0 nor 1"
                raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
            return value
        if name in _UINT16:
            value = self.uint16()
        elif name in _UINT32:
            value = self.uint32()
        elif name is Property.SUBSCRIPTION_IDENTIFIER:
            value = self.variable_integer()
        else:
            return self.text()
        if not value and name in _NEVER_ZERO:
            msg = f"the property {name.name} is zero"
            raise MalformedPacketError(msg, reason=Reason.PROTOCOL_ERROR)
        return value


def encode_variable_integer(value: int) -> bytes:
    """Write a variable byte integer (1.5.5)."""
    digits = bytearray()
    while value > 0x7F:  # noqa: PLR2004 -- seven bits a byte
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
