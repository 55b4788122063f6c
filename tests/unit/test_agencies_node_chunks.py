"""Large portions between nodes: they come whole, and each chunk once, whatever is lost on the way."""

from pathlib import Path

from schemas.frames import ChunkMessage, ChunkRequest
from schemas.limits import CHUNK_BYTES_MAX
from schemas.report import PortionContent
from tests.samples.small_nodes import draft, portion, small_region, until


async def test_a_large_portion_comes_whole_and_each_chunk_once(tmp_path: Path) -> None:
    text = "".join(f"{number:08}" for number in range(124_000))
    async with small_region(tmp_path, "alpha", "bravo", "charlie") as region:
        large = portion("large", text=text)
        await region.nodes["alpha"].release(draft("", "bravo", portions=(large, portion("small"))))
        await region.settle()

        contents = {content.title: content for _, a in region.arrivals for _, content in a.contents
                    if isinstance(content, PortionContent)}  # fmt: skip
        assert text == contents["large"].text
        sent = [message.number for agency, message in region.wire.up if isinstance(message, ChunkMessage)]
        assert len(text) // CHUNK_BYTES_MAX + 1 == len(sent)
        assert sorted(set(sent)) == sorted(sent)
        wants = [m.number for agency, m in region.wire.up if isinstance(m, ChunkRequest) and agency == "bravo"]
        assert sorted(set(wants)) == sorted(wants)


async def test_chunks_go_on_where_a_link_or_a_node_was_lost(tmp_path: Path) -> None:
    text = "y" * 1_000_000
    async with small_region(tmp_path, "alpha", "bravo") as region:
        region.wire.end_at = set(range(region.wire.passings + 6, region.wire.passings + 60, 9))
        await region.nodes["alpha"].release(draft("", "bravo", portions=(portion("large", text=text),)))
        await until(lambda: any(isinstance(message, ChunkMessage) for _, message in region.wire.up))
        await region.stop("bravo")
        region.start("bravo")
        await region.settle()

        assert ["large"] == region.titles("bravo")
        assert 0 == region.nodes["bravo"].store._sql.execute("SELECT count(*) FROM chunk").fetchone()[0]
