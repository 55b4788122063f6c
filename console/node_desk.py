"""The desk of a node on a terminal: shows what arrives, sends what waits, and knows when all of it is done."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from agencies.drafts import Draft, Why
from agencies.node import Node
from agencies.store import NodeStore
from console.desk_acts import act_name
from console.desk_hands import Carried
from console.desk_work import DeskWork
from console.happenings import Happening, Happenings, SentReport, handed
from console.report_file import WrittenReport, read_report
from console.spool import cause_of, is_act, read_act_file, read_one, read_waiting, set_aside
from schemas.errors import DiskFullError, InputError, RemoteError, SandiwaraError, SealError
from transport.clock import Clock

T = TypeVar("T")

_LOOK_S: Final = 0.2  # verdicts, receipts and handed-over reports are looked for so often; arrivals are told at once
_STILL_S: Final = 1.0  # a node that only fetches ends when nothing has come for so long
_SETTLE_S: Final = 2.0  # a joint product whose settling waits for the router's verdict is tried again so often


class NodeDesk:
    """The desk of one node: shows what arrives, sends what waits, and knows when all is done."""

    def __init__(
        self,
        node: Node,
        store: NodeStore,
        *,
        outgoing: Path,
        disk: Executor,
        clock: Clock,
        show: Callable[[Happening], None],
        news: asyncio.Event,
    ) -> None:
        self._node = node
        self._disk = disk
        self._outgoing = outgoing
        self._clock = clock
        self._show = show
        self._news = news
        self._happenings = Happenings(store)
        self._work = DeskWork(node=node, on_disk=self._on_disk, clock=clock, is_done=self._is_on_record)
        self._to_settle: set[bytes] = set()  # joint products that this agency leads, with answers to look at
        self._settle_at = 0.0  # by the loop's clock
        self._unopened: list[bytes] = []  # shown while the disk was full: their receipts are not owed yet
        self.was_linked = False
        self.anything_refused = False

    async def work(self, written: WrittenReport | None, name: str | None) -> None:
        """Show and send until cancelled."""
        await self._begin()
        while True:
            await self._tell()
            if await self._is_linked():
                if written is not None:
                    try:
                        await self._send(written, name or "", cause="")
                    except DiskFullError as error:
                        self._say_not_sent(name or "", error)
                    written = None
                # What was handed over waits in its folder until there is room.
                with suppress(DiskFullError):
                    await self._send_waiting()
                    await self._settle()
            await self._wait()

    async def work_once(self, written: WrittenReport | None, name: str | None, *, with_receipts: bool) -> None:
        """Send what is to be sent, and return when all of it is decided."""
        await self._begin()
        await self._node.linked()
        self.was_linked = True
        if written is not None:
            await self._send(written, name or "", cause="")
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            if await self._tell():
                last = loop.time()
            await self._send_waiting()
            await self._settle()
            if self._node.disk_is_full():
                msg = f"the disk of {self._node.agency} is full: not all was taken or sent"
                raise DiskFullError(msg, remedy="make room and start it again; what was accepted is safe")
            # One that sends nothing has come to fetch, and deliveries follow each other without a pause.
            still = self._happenings.sent or self.anything_refused or loop.time() - last >= _STILL_S
            if still and self._is_done(with_receipts=with_receipts) and not await self._files():
                return
            await self._wait()

    def unfinished(self) -> tuple[list[str], list[str]]:
        """Return the reports without a verdict, and the readers without a receipt."""
        sent = self._happenings.sent
        undecided = [hid for hid, report in sent.items() if not report.settled]
        return undecided, sorted({name for report in sent.values() for name in report.owing()})

    async def _begin(self) -> None:
        await self._show_all(await self._on_disk(self._happenings.begin))
        self._to_settle.update(await self._node.joint.led())

    async def _tell(self) -> bool:
        """Show what is new; True if anything was."""
        self._news.clear()
        news = await self._on_disk(self._happenings.news)
        await self._show_all(news)
        return bool(news)

    async def _show_all(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            self._show(happening)
            if happening["event"] in {"refused", "expired"}:
                self.anything_refused = True
            match happening["event"]:
                case "received":
                    self._unopened.append(bytes.fromhex(happening["hid"]))
                case "cosign_received":
                    self._to_settle.add(bytes.fromhex(happening["hid"]))
                case "tainted":
                    # Only what is led is settled; a product of one's own is its people's to recall.
                    self._to_settle.update(bytes.fromhex(product) for product in happening["products"])
                case _:
                    pass
        # Shown to whoever sits here, so the originator is owed the receipt that says so.
        with suppress(DiskFullError):
            while self._unopened:
                await self._node.opened(self._unopened[0])
                del self._unopened[0]

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._news.wait()
        except TimeoutError:
            return

    async def _is_linked(self) -> bool:
        try:
            async with asyncio.timeout(0):
                await self._node.linked()
        except TimeoutError:
            return False
        return True

    def _is_done(self, *, with_receipts: bool) -> bool:
        sent = self._happenings.sent.values()
        if not self._node.idle() or not all(report.settled for report in sent):
            return False
        return not with_receipts or not any(report.owing() for report in sent if report.settled == "accepted")

    # Sending.

    async def _send_waiting(self) -> None:
        for path in await self._files():
            if is_act(path):
                await self._carry_out(path)
                continue
            try:
                waiting = read_one(path)
                # Sent already, in a run that ended before it could remove the file.
                if waiting.cause not in self._happenings.causes:
                    community = self._node.core.community
                    now_ms = self._clock.now_ms()
                    report = read_report(waiting.text.encode(), waiting.name, community=community, now_ms=now_ms)
                    written = WrittenReport(portions=report.portions, to=waiting.to or report.to)
                    await self._send(written, waiting.name, cause=waiting.cause)
                path.unlink(missing_ok=True)
            except (InputError, SealError) as error:
                self._say_not_sent(str(set_aside(path)), error)

    async def _files(self) -> list[Path]:
        """Return what waits in the folder; a recall waits there for the router's verdict on what it recalls."""
        return await asyncio.to_thread(read_waiting, self._outgoing)

    async def _carry_out(self, path: Path) -> None:
        """Do an act that was handed over, put on record what became of it, and take its file away."""
        cause, name = cause_of(path), path.name
        if self._is_on_record(handed(cause)):
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return
        outcome, carried, refused = "done", Carried(), None
        try:
            act = read_act_file(path)
            name = act_name(act)
            if await self._work.has_to_wait(act):
                return
            carried = await self._work.carry_out(act, cause)
        except (InputError, SealError, RemoteError) as error:
            refused = error
            # A report's own words can be in what is wrong with its file, and auditors read the record.
            outcome = f"not done: {error}" if isinstance(error, SealError) else "not done: its file is refused"
        hids, left_out = carried.hids, carried.left_out
        said: dict[str, Any] = {"hids": hids, "readers": sorted(carried.audience), "left_out": left_out}
        await self._node.note("handed", act=name, cause=cause, outcome=outcome, **said)
        if refused is not None:
            self._say_not_sent(f"{name} in {set_aside(path)}", refused)
            return
        await asyncio.to_thread(path.unlink, missing_ok=True)
        if left_out and not hids:
            self.anything_refused = True
        self._show({"event": "done", "at_ms": self._clock.now_ms(), "act": name, **said})

    def _is_on_record(self, cause: str) -> bool:
        return cause in self._happenings.causes

    async def _settle(self) -> None:
        """Release, or make again, the joint products whose co-signers have said enough for it."""
        loop = asyncio.get_running_loop()
        if not self._to_settle or loop.time() < self._settle_at:
            return
        for hid in sorted(self._to_settle):
            try:
                released = await self._node.joint.settle(hid)
            except SealError:
                self._settle_at = loop.time() + _SETTLE_S
                continue
            if released is None:
                self._to_settle.discard(hid)
            elif released.hid is not None:
                self._to_settle.add(released.hid)

    def _say_not_sent(self, file: str, error: SandiwaraError) -> None:
        self.anything_refused = True
        said: dict[str, Any] = {"event": "not_sent", "at_ms": self._clock.now_ms(), "file": file}
        self._show({**said, "reason": str(error)})

    async def _send(self, written: WrittenReport, name: str, *, cause: str) -> None:
        why = Why(act="report", order="desk", reason=f"the desk sends {Path(name).name}", cause=cause)
        released = await self._node.release(Draft(portions=written.portions, to=written.to, why=why))
        hid = released.hid
        if hid is None:
            self.anything_refused = True
        else:
            self._happenings.sent[hid.hex()] = SentReport(audience=dict(released.audience))
        numbered = await self._on_disk(lambda: self._happenings.positions(hid, released.audience))
        self._show(
            {
                "event": "sent",
                "at_ms": self._clock.now_ms(),
                "file": name,
                "hid": None if hid is None else hid.hex(),
                "audience": numbered,
                "left_out": released.left_out,
            }
        )

    async def _on_disk(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, call)
