"""The whole path over real MQTT: who gets which cut, who sees nothing, and what survives a restart."""

import asyncio
import logging
import zlib
from pathlib import Path

import pytest

from agencies.drafts import Draft, Why
from scenarios import region as regions
from scenarios.catalogue import find_pack
from scenarios.enrolment import Community, enrol, make_bundle
from scenarios.model import Pack
from scenarios.pack import load_pack
from scenarios.region import World, running_region
from schemas.errors import LinkError, ListenError, StoreError
from schemas.label import Label
from schemas.report import Passage, Portion, PortionContent
from sealing.entropy import SystemEntropy
from sealing.statements import read_bundle, sign_bundle
from tests.samples.live_region import LIMIT_S, LiveRegion, live_region
from transport.mqtt import MqttAddress, mqtt_connect

AUTHOR = "sgp-mar"
WHY = Why(act="report", order="T1", reason="a test", cause="E1")
PIRACY = Label("GREEN", "EX-UNCLAS", "toc.piracy", affected=("IDN", "MYS", "SGP"), precedence="IMMEDIATE")
TO_STATES = PIRACY._replace(tlp="AMBER", level="EX-RESTRICTED", rel=("IDN", "MYS", "SGP"))
HOME = PIRACY._replace(tlp="AMBER+STRICT", level="EX-CONFIDENTIAL", caveats=("NATONLY",))
TEXTS = {"Broad": "KINGFISHER drifting north", "Coast": "MOTHERBOAT near the buoy", "Sensor": "BLINDSPOT of the radar"}
AGENCIES = ("idn-mar", "mys-mar", "rb-ifc", "sgp-di", "sgp-mar")


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(find_pack("strait-lantern"))


class StandingClock:
    """Exercise time that does not move."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture
def world(pack: Pack) -> World:
    return World(clock=StandingClock(pack.start_ms), entropy=SystemEntropy())


@pytest.fixture
def community(pack: Pack) -> Community:
    return enrol(pack, entropy=SystemEntropy())


def portion(title: str, label: Label = PIRACY, text: str | None = None) -> Portion:
    body = (Passage("p-1", TEXTS.get(title, "plain") if text is None else text),)
    return Portion(label, PortionContent("EXERCISE", title, body))


def draft(*portions: Portion, to: tuple[str, ...] = ()) -> Draft:
    return Draft(portions=portions, to=to, why=WHY)


def tear_line() -> Draft:
    return draft(portion("Sensor", HOME), portion("Coast", TO_STATES), portion("Broad"))


def spellings(text: str) -> list[bytes]:
    """Return the ways in which a text could stand in bytes: encodings, and as the start of a compressed run."""
    compressed = zlib.compress(text.encode())[2:10]
    return [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-32-le"),
            text.encode().hex().encode(), compressed]  # fmt: skip


def found_in(content: bytes, *texts: str) -> list[str]:
    return [text for text in texts if any(spelling in content for spelling in spellings(text))]


def files(folder: Path, pattern: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(pattern)))


async def test_each_reader_gets_exactly_its_cut_and_the_wire_nothing(
    community: Community, tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Three portions, three kinds of reader; neither the wire, nor the broker's disk, nor any log holds a word."""
    caplog.set_level(logging.DEBUG)
    async with live_region(community, tmp_path, world, *AGENCIES) as region:
        released = await region.nodes[AUTHOR].release(tear_line())
        await region.settle()

        cuts = {agency: region.titles(agency) for agency in AGENCIES}
        assert {
            "idn-mar": ["Broad", "Coast"], "mys-mar": ["Broad", "Coast"], "rb-ifc": ["Broad"],
            "sgp-di": ["Broad", "Coast", "Sensor"], "sgp-mar": [],
        } == cuts  # fmt: skip
        wire = b"".join(region.relay.seen)
        rows = region.nodes[AUTHOR].store._sql.execute("SELECT reader, status FROM receipt").fetchall()
        assert {(agency, "delivered") for agency in AGENCIES if agency != AUTHOR} == set(rows)
    assert released.hid is not None
    assert released.hid in files(tmp_path, "broker.sqlite*")
    words = [*TEXTS, *TEXTS.values(), "KINGFISHER", "MOTHERBOAT", "BLINDSPOT", "p-1"]
    secret = [word for word in words if word not in {"Broad", "Coast"}]
    assert b"sw/1/sgp-mar/up" in wire
    assert [] == found_in(wire, *secret)
    assert [] == found_in(files(tmp_path, "broker.sqlite*"), *secret)
    told = "\n".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
    assert [] == found_in(told.encode(), *secret)


async def test_an_uncleared_node_holds_no_trace_of_a_report_above_it(
    community: Community, tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """H15: not its id, not its title, not one word of its label; nor does what it sees differ in number."""
    caplog.set_level(logging.DEBUG)
    async with live_region(community, tmp_path, world, *AGENCIES) as region:
        await region.nodes[AUTHOR].release(draft(portion("Broad")))
        await region.settle()
        before = len(region.journal("rb-ifc"))
        secret = await region.nodes[AUTHOR].release(draft(portion("Sensor", HOME)))
        await region.settle()
        after = len(region.journal("rb-ifc"))
    assert secret.hid is not None
    assert before == after
    held = files(tmp_path / "nodes", "rb-ifc*")
    assert found_in(held, "Broad") == ["Broad"]
    assert [] == found_in(held, secret.hid.hex(), "Sensor", "BLINDSPOT", "AMBER+STRICT")
    assert secret.hid not in held
    told = "\n".join(str(record.__dict__) for record in caplog.records if "rb-ifc" in str(record.__dict__))
    assert [] == found_in(told.encode(), secret.hid.hex(), "Sensor", "BLINDSPOT")


async def test_a_broker_that_stops_in_the_middle_loses_nothing_and_repeats_nothing(
    community: Community, tmp_path: Path, world: World
) -> None:
    async with live_region(community, tmp_path, world, *AGENCIES) as region:
        await region.nodes[AUTHOR].release(draft(portion("first")))
        await region.settle()

        in_the_middle = asyncio.Event()

        async def release_many() -> None:
            for number in range(30):
                if number == 10:
                    in_the_middle.set()
                await region.nodes[AUTHOR].release(draft(portion(f"m{number:02}"), to=("mys-mar", "idn-mar")))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(release_many(), name="releasing")
            await in_the_middle.wait()
            await region.stop_broker()
            await region.start_broker()
        await region.settle()

        expected = sorted(["first", *(f"m{number:02}" for number in range(30))])
        for reader in ("mys-mar", "idn-mar"):
            assert expected == region.titles(reader)
            assert [] == region.journal(reader, "rejected", "missing", "gap")
        assert {} == region.store.queues()
        admitted = [row for row in region.store.records() if row.stage == "admitted" and row.agency == AUTHOR]
        assert len(admitted) == len({row.hid for row in admitted}) == 31


async def test_a_node_that_is_killed_comes_back_with_everything(
    community: Community, tmp_path: Path, world: World
) -> None:
    async with live_region(community, tmp_path, world, *AGENCIES) as region:
        await region.nodes[AUTHOR].release(draft(portion("before")))
        await region.settle()
        await region.kill("mys-mar")
        for number in range(5):
            await region.nodes[AUTHOR].release(draft(portion(f"away {number}")))
        await region.settle()
        region.start("mys-mar")
        await region.settle()

        assert [*(f"away {number}" for number in range(5)), "before"] == region.titles("mys-mar")
        assert [] == region.journal("mys-mar", "rejected", "missing", "duplicate", "gap")


async def test_an_attachment_of_three_mebibytes_arrives_whole(
    community: Community, tmp_path: Path, world: World
) -> None:
    text = "".join(f"{number:09}\n" for number in range(3 * 1024 * 1024 // 10))
    runs = tuple(Passage(None, text[at : at + 900_000]) for at in range(0, len(text), 900_000))
    large = Portion(PIRACY, PortionContent("EXERCISE", "Track log", runs))
    async with live_region(community, tmp_path, world, "mys-mar", "rb-ifc", AUTHOR) as region:
        await region.nodes[AUTHOR].release(draft(large, portion("Sensor", HOME)))
        await region.settle()

        contents = {
            agency: content
            for agency, arrival in region.arrivals
            for _, content in arrival.contents
            if isinstance(content, PortionContent)
        }
        assert {"mys-mar", "rb-ifc"} == contents.keys()
        assert text == contents["mys-mar"].text == contents["rb-ifc"].text


async def test_a_second_session_with_the_right_password_takes_over_and_the_node_comes_back(
    community: Community, tmp_path: Path, world: World
) -> None:
    """It sees ciphertext and can open none of it; the node that was thrown out has lost nothing."""
    async with live_region(community, tmp_path, world, "mys-mar", AUTHOR) as region:
        password = region.passwords["mys-mar"]
        address = MqttAddress(host="127.0.0.1", port=region.relay.port, agency="mys-mar", password=password)
        async with asyncio.timeout(LIMIT_S):
            try:
                async with mqtt_connect(address)():
                    await region.nodes[AUTHOR].release(draft(portion("Broad")))
                    while not region.journal("mys-mar", "link_down"):  # noqa: ASYNC110 - another task's step
                        await asyncio.sleep(0.005)
            except LinkError:
                pass  # the node takes its session back
        await region.settle()

        assert ["Broad"] == region.titles("mys-mar")


async def test_a_wrong_password_gets_no_link_and_disturbs_nobody(
    community: Community, tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_region(community, tmp_path, world, "mys-mar", AUTHOR) as region:
        wrong = MqttAddress(host="127.0.0.1", port=region.relay.port, agency="mys-mar", password="guessed")
        with pytest.raises(LinkError):
            async with asyncio.timeout(LIMIT_S), mqtt_connect(wrong)():
                pass
        await region.nodes[AUTHOR].release(draft(portion("Broad")))
        await region.settle()

        assert ["Broad"] == region.titles("mys-mar")
        assert [] == region.journal("mys-mar", "link_down")
    assert "guessed" not in "".join(str(record.__dict__) for record in caplog.records)


async def revoke(region: LiveRegion, pack: Pack, agency: str) -> None:
    """Install a bundle in which an agency is revoked."""
    community = region.community
    bundle = make_bundle(
        pack, version=2, issued=pack.start_ms, router=community.router.public, rings=community.rings,
        status={agency: "revoked"},
    )  # fmt: skip
    signed = sign_bundle(bundle, dict(sorted(community.authorities.items())[:2]))
    read_bundle(signed, root=community.root, now_ms=pack.start_ms)
    core = region.service._router._core
    await region.service.install_bundle(version=2, signed=signed, install=lambda: core.install(bundle))


async def test_an_agency_that_is_revoked_in_mid_flight_gets_and_sends_nothing_more(
    community: Community, pack: Pack, tmp_path: Path, world: World
) -> None:
    async with live_region(community, tmp_path, world, "idn-mar", "mys-mar", AUTHOR) as region:
        await region.nodes[AUTHOR].release(draft(portion("before")))
        await region.settle()
        await region.kill("mys-mar")
        await region.nodes[AUTHOR].release(draft(portion("queued")))
        await region.settle()
        await revoke(region, pack, "mys-mar")
        async with asyncio.timeout(LIMIT_S):
            while region.nodes[AUTHOR].core.bundle.version != 2:  # noqa: ASYNC110 - another task's step
                await asyncio.sleep(0.005)
        after = await region.nodes[AUTHOR].release(draft(portion("after")))
        await region.settle()

        assert "NTK-RECIPIENT" == after.left_out.get("mys-mar", "NTK-RECIPIENT")
        assert "mys-mar" not in after.audience
        assert ["before"] == region.titles("mys-mar")
        assert ["after", "before", "queued"] == region.titles("idn-mar")
        cancelled = [row.agency for row in region.store.records() if row.stage == "cancelled"]
        assert ["mys-mar"] == cancelled
        assert 0 == region.store.queues().get("mys-mar", 0)
        held = region.store.holdings.bundles()
    assert [1, 2] == [version for version, _ in held]


# What goes wrong with a region comes out as one clear error.


def nobody(_agency: str, _arrival: object) -> None:
    return None


async def test_a_store_in_use_is_one_clear_error(community: Community, tmp_path: Path, world: World) -> None:
    async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody, agencies=("mys-mar",)):
        with pytest.raises(StoreError, match=r"broker\.sqlite is in use by another process"):
            async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody):
                pass


async def test_a_damaged_node_store_is_one_clear_error(community: Community, tmp_path: Path, world: World) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "mys-mar.sqlite").write_bytes(b"no database" * 1_000)

    with pytest.raises(StoreError, match=r"mys-mar\.sqlite is damaged"):
        async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody):
            pass


async def test_a_port_that_is_gone_is_one_clear_error(
    community: Community, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "_HOST", "192.0.2.1")  # an address that is nobody's: reserved for documentation

    with pytest.raises(ListenError):
        async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody):
            pass


async def test_a_full_disk_of_one_node_among_many_is_one_clear_error(
    community: Community, tmp_path: Path, world: World
) -> None:
    async def fill() -> None:
        async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody) as region:
            sql = region.nodes["mys-mar"].store._sql
            pages = sql.execute("PRAGMA page_count").fetchone()[0]
            sql.execute(f"PRAGMA max_page_count = {pages}")
            while True:
                await region.nodes[AUTHOR].release(draft(portion("x", text="x" * 9_000)))
                await region.quiet(limit_s=LIMIT_S)

    with pytest.raises(StoreError, match=r"mys-mar\.sqlite: database or disk is full") as caught:
        async with asyncio.timeout(LIMIT_S):
            await fill()

    assert "make room" in caught.value.remedy


async def test_an_error_of_the_block_comes_out_as_itself(community: Community, tmp_path: Path, world: World) -> None:
    async def stumble() -> None:
        async with running_region(community, folder=tmp_path, world=world, on_arrival=nobody, agencies=("mys-mar",)):
            raise KeyError

    with pytest.raises(KeyError):
        await stumble()


async def test_a_region_on_the_same_folder_goes_on_where_it_was(
    community: Community, tmp_path: Path, world: World
) -> None:
    got: list[str] = []
    for title in ("one", "two"):
        async with running_region(
            community, folder=tmp_path, world=world, on_arrival=lambda agency, _: got.append(agency),
            agencies=("mys-mar", AUTHOR),
        ) as region:  # fmt: skip
            await region.nodes[AUTHOR].release(draft(portion(title)))
            await region.quiet(limit_s=LIMIT_S)

    assert ["mys-mar", "mys-mar"] == got
