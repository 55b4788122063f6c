"""What our CONNACK said we have not, and what the standard asks us to answer to whoever uses it all the same."""

from typing import Final

from broker.fields import MalformedPacketError, Reason
from broker.packets import Publish
from schemas.topics import down_topic

_QOS_MAX: Final = 1  # announced as Maximum QoS


def refuse_unannounced(packet: Publish) -> None:
    """Refuse what our CONNACK said we have not, and topic names that are none."""
    if packet.retain:
        # "the Server MUST NOT accept … RETAIN flag set to 1 … DISCONNECT with Reason Code 0x9A" -- 3.2.2.3.5
        msg, reason = "a publish asks to be retained", Reason.RETAIN_NOT_SUPPORTED
    elif packet.qos > _QOS_MAX:
        # "it is a Protocol Error … DISCONNECT with Reason Code 0x9B" -- MQTT-3.2.2-11, 3.2.2.3.4
        msg, reason = "a publish exceeds the maximum QoS", Reason.QOS_NOT_SUPPORTED
    elif packet.aliased:
        # "MUST NOT send any Topic Aliases … DISCONNECT with Reason Code 0x94" -- MQTT-3.2.2-18, 3.3.2.3.4
        msg, reason = "a publish uses a topic alias", Reason.TOPIC_ALIAS_INVALID
    elif not packet.topic:
        # "It is a Protocol Error if the Topic Name is zero length and there is no Topic Alias." -- 3.3.2.1
        msg, reason = "a publish has no topic", Reason.PROTOCOL_ERROR
    elif "+" in packet.topic or "#" in packet.topic:
        # "The Topic Name in the PUBLISH packet MUST NOT contain wildcard characters" -- MQTT-3.3.2-2
        msg, reason = "a topic name holds a wildcard", Reason.TOPIC_NAME_INVALID
    else:
        return
    raise MalformedPacketError(msg, reason=reason)


def judge_filter(topic_filter: str, qos: int, *, agency: str) -> int:
    """Return the SUBACK code for one filter: the QoS granted on the agency's own down topic, or why not.

    Raises:
        MalformedPacketError: On wildcards and shared subscriptions, which our CONNACK said we have not.
    """
    if topic_filter.startswith("$share/"):
        # "this is a Protocol Error. The Server uses DISCONNECT with Reason Code 0x9E" -- 3.2.2.3.13
        msg = "a shared subscription"
        raise MalformedPacketError(msg, reason=Reason.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)
    if "+" in topic_filter or "#" in topic_filter:
        # "this is a Protocol Error. The Server uses DISCONNECT with Reason Code 0xA2" -- 3.2.2.3.11; the SUBACK
        # with 0xA2 is for servers that announced wildcards.
        msg = "a wildcard subscription"
        raise MalformedPacketError(msg, reason=Reason.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
    if not topic_filter:
        # "All Topic Names and Topic Filters MUST be at least one character long" -- MQTT-4.7.3-1
        return Reason.TOPIC_FILTER_INVALID
    if topic_filter != down_topic(agency):
        return Reason.NOT_AUTHORISED
    return min(qos, _QOS_MAX)


def will_refusal(qos: int, *, retain: bool) -> Reason:
    """Choose how to refuse a will.

    "it MUST reject the connection request": 0x9A for Will Retain (MQTT-3.2.2-13) and 0x9B for a Will QoS above ours
    (MQTT-3.2.2-12). The standard has no code for a server without wills; 3.1.4 lets it check "any further
    restrictions", and of the codes of 3.2.2.2 "Not authorized" fits: no agency may leave one.
    """
    if retain:
        return Reason.RETAIN_NOT_SUPPORTED
    if qos > _QOS_MAX:
        return Reason.QOS_NOT_SUPPORTED
    return Reason.NOT_AUTHORISED
