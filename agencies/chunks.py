"""Chunks of large portions: which to ask for next, and which of ours somebody asks for."""

from typing import Final

from agencies.store import NodeStore
from schemas.frames import ChunkMessage, ChunkRequest

CHUNKS_ASKED: Final = 2  # on their way from the router at a time: half a MiB


def wanted_chunks(store: NodeStore, hid: bytes, place: int) -> list[ChunkRequest]:
    """Return the requests for the next chunks of a portion that are missing here."""
    pending = store.pending(hid, place)
    if pending is None:
        return []
    missing = [number for number in range(pending.opened.chunks) if number not in pending.held]
    return [ChunkRequest("want", hid, place, number) for number in missing[:CHUNKS_ASKED]]


def own_chunks(store: NodeStore, request: ChunkRequest) -> list[ChunkMessage]:
    """Return the chunk of a message of ours that is asked for, if there is one."""
    sealed = store.sealed(request.hid)
    return [
        ChunkMessage("chunk", request.hid, request.place, request.number, portion.chunks[request.number])
        for portion in (() if sealed is None else sealed.portions)
        if portion.place == request.place and request.number < len(portion.chunks)
    ]
