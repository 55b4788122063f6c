"""What do the codecs cost: MQTT packets in and out, frames, and a report's content read and written? In verifies.

Reading always includes the strict check of the shape and the proof that the bytes are canonical.
"""

from collections.abc import Callable

from bench.measure import Effort, interleave, read_arguments, report_costs
from bench.seal_open import cut_for
from bench.stage import make_ready, portions
from broker.answers import encode_publish_acknowledgement, encode_publish_header
from broker.packets import PacketBuffer, Publish, decode_packet
from schemas.codec import pack, read_shape, unpack
from schemas.frames import Ack, Delivery, read_down_frame, read_up_frame, write_frame
from schemas.label import read_label
from schemas.limits import CONTENT_BYTES_MAX
from schemas.report import PortionContent
from schemas.topics import up_topic
from sealing.entropy import SystemEntropy
from sealing.received import read_envelope

_PACKET_BYTES_MAX = 1024 * 1024


def main(effort: Effort) -> None:
    ready = make_ready(3, SystemEntropy())
    envelope = ready.releaser(2).release(ready.seal_report())
    cut = cut_for(envelope, ready.stage.agencies[1])
    topic = up_topic(ready.author)
    packet = encode_publish_header(topic, 7, len(envelope)) + envelope
    content = portions()[0].content
    packed, label = pack(content), pack(portions()[0].label)
    delivery = write_frame((Delivery("delivery", 1, cut),))
    ack = write_frame((Ack("ack", 1),))

    def read_packet() -> Publish:
        buffer = PacketBuffer()
        buffer.feed(packet)
        frame = buffer.next_frame(_PACKET_BYTES_MAX)
        assert frame is not None
        publish = decode_packet(*frame)
        assert isinstance(publish, Publish)
        return publish

    assert read_packet().payload == envelope
    cases: dict[str, Callable[[], object]] = {
        "publish-read": read_packet,
        "publish-write": lambda: encode_publish_header(topic, 7, len(envelope)) + envelope,
        "puback-write": lambda: encode_publish_acknowledgement(7, 0),
        "content-write": lambda: pack(content),
        "content-read": lambda: read_shape(PortionContent, unpack(packed, bytes_max=CONTENT_BYTES_MAX)),
        "label-read-kept": lambda: read_label(label),
        "envelope-read": lambda: read_envelope(cut),
        "frame-read-delivery": lambda: read_down_frame(delivery),
        "frame-read-ack": lambda: read_up_frame(ack),
        "frame-write": lambda: write_frame((Delivery("delivery", 1, cut),)),
    }
    report_costs(effort, "codec", interleave(cases, effort))


if __name__ == "__main__":
    main(read_arguments(__doc__ or ""))
