"""The desks of a run: they release, correct, release again, revoke and open, as the plan says and as reports come."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

from agencies.drafts import Draft, Why
from agencies.incoming import Arrival
from agencies.notices import Notice
from policy.community import Community as Compiled
from scenarios.soak.desk_book import Book
from scenarios.soak.desk_consent import ConsentDesks
from scenarios.soak.desk_joint import JointDesks
from scenarios.soak.desk_products import ProductDesks
from scenarios.soak.desk_questions import QuestionDesks
from scenarios.soak.plan import Again, Message, Recall, Revocation, Rotation, Work
from scenarios.soak.reference import BROKER, LABELS, revoked
from scenarios.soak.region import LOOK_S, Region
from scenarios.soak.workflow import Consent, Joint, Product, Question
from schemas.bundle import Bundle
from schemas.errors import SealError
from schemas.report import Passage, Portion, PortionContent
from transport.seeded import stream
from transport.simloop import running_simulation

_LARGE_CHARS: Final = 100_000  # over what travels inline, so in chunks
_RECALL_TRIES: Final = 24  # two minutes: longer than a partition lasts
_WHY: Final = Why(act="report", order="soak", reason="the plan says so", cause="")


class Desks:
    """Whoever sits at the nodes of one run."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._ghost = region.ghost
        self._book = Book(region)
        self._hids = self._book.hids
        self._signed: bytes | None = None  # the newest bundle, once there is a second one
        self._habits = stream(region.plan.seed, "desks")
        self._products = ProductDesks(self._book)
        self._consents = ConsentDesks(self._book, self._products)
        self._joint = JointDesks(self._book)
        self._questions = QuestionDesks(self._book)

    def begin(self) -> None:
        """Have all work of the plan fall due, counted from now."""
        for item in self._region.plan.work():
            running_simulation().call_later(item.at_ms / 1_000, self._begin, item)

    def end(self) -> None:
        """Go home: what comes while the lives of the run end is opened by nobody."""
        self._book.over = True

    def put_back(self, holder: str) -> None:
        """Do what whoever runs a machine does who has put back a copy of its disk.

        A broker's operator gives it the newest bundle; an agency's desk looks at what it leads, since its node no
        longer knows what came of that.
        """
        if holder != BROKER:
            self._joint.put_back(holder)
        elif self._signed is not None:
            work = self._install(self._region.bundle, self._signed)
            self._region.tasks.create_task(work, name="operator-installs")

    def arrived(self, agency: str, arrival: Arrival) -> None:
        """Put what has come on a desk, which opens it after a while."""
        after_s = self._habits.random() * 30
        if arrival.kind == "report" and after_s < 15:  # noqa: PLR2004 - half of it is opened at all
            running_simulation().call_later(after_s, self._open, agency, arrival.hid)
        if self._region.plan.workflow:
            self._consents.arrived(agency, arrival)
            self._joint.arrived(agency, arrival)
            self._questions.arrived(agency, arrival)

    def told(self, agency: str, notice: Notice) -> None:
        """Take in what a node tells its desk unasked: that a recall has tainted what was made here."""
        joint = tuple(product for product in notice.products if self._joint.leads(product))
        self._joint.told(agency, replace(notice, products=joint))
        others = tuple(product for product in notice.products if product not in joint)
        self._products.told(agency, replace(notice, products=others))

    def _begin(self, item: Work) -> None:
        region = self._region
        match item:
            case Message():
                work = region.until_dead(region.nodes[item.agency], self._release(item))
            case Again():
                author = self._author(item.message)
                if author is None:
                    return
                work = region.until_dead(region.nodes[author], self._release_again(item))
            case Revocation():
                work = self._revoke(item)
            case Recall():
                author = self._author(item.message)
                if author is None:
                    return
                work = self._recall(author, item)
            case Rotation():
                work = region.until_dead(region.nodes[item.agency], self._change_keys(item.agency))
            case Consent() | Product() | Joint() | Question():
                self._begin_story(item)
                return
            case _:
                assert_never(item)
        region.tasks.create_task(work, name=f"desk-{item.at_ms}")

    def _begin_story(self, story: Consent | Product | Joint | Question) -> None:
        match story:
            case Consent():
                self._consents.begin(story)
            case Product():
                self._products.begin(story)
            case Joint():
                self._joint.begin(story)
            case Question():
                self._questions.begin(story)
            case _:
                assert_never(story)

    def _author(self, number: int) -> str | None:
        return self._book.author(number)

    async def _release(self, message: Message) -> None:
        node = self._region.nodes[message.agency].node
        if node is None:
            self._ghost.saw("desk without a node")
            return
        ref = None if message.corrects is None else self._hids.get(message.corrects)
        if message.corrects is None or self._author(message.corrects) != message.agency:
            ref = None
        portions = tuple(Portion(LABELS[label], _content(message, place)) for place, label in enumerate(message.labels))
        draft = Draft(portions=portions, to=message.to, why=_WHY, ref=ref)
        if message.lives_ms is not None:
            draft = replace(draft, lifetime_ms=message.lives_ms)
        released = await node.release(draft)
        if released.hid is not None:
            self._hids[message.number] = released.hid
            self._ghost.accepted.add(released.hid.hex())
            self._ghost.saw("accepted")
            if message.lives_ms is not None:
                self._ghost.times.lives(released.hid.hex(), message.lives_ms)

    async def _release_again(self, again: Again) -> None:
        hid, author = self._hids.get(again.message), self._author(again.message)
        node = None if author is None else self._region.nodes[author].node
        if hid is None or node is None or again.reader == author:
            return
        if again.reader in self._ghost.sent[hid.hex()].audiences[0]:
            return
        try:
            released = await node.release_again(hid, {again.reader: 0}, _WHY)
        except SealError:
            self._ghost.saw("released no more")
            return
        if released.hid is not None:
            self._ghost.saw("accepted again")

    async def _recall(self, author: str, recall: Recall) -> None:
        """Take a message back: as soon as it has a verdict, and its author's node is up."""
        for _ in range(_RECALL_TRIES):
            recalled: list[bool] = []
            await self._region.until_dead(self._region.nodes[author], self._try_recall(author, recall, recalled))
            if recalled:
                return
            await asyncio.sleep(5 * LOOK_S)

    async def _try_recall(self, author: str, recall: Recall, recalled: list[bool]) -> None:
        hid, node = self._book.hid(recall.message), self._region.nodes[author].node
        if hid is None or node is None:
            return
        before = hid.hex() in self._ghost.recalls.asked
        try:
            released = await node.recall(hid, _WHY)
        except SealError:
            self._ghost.saw("recalled too early")
            return
        if released.hid is not None:
            self._ghost.saw("recalled again" if before else "recalled")
            recalled.append(True)

    async def _change_keys(self, agency: str) -> None:
        node = self._region.nodes[agency].node
        if node is not None and await node.change_keys():
            self._ghost.saw("keys changed")

    async def _revoke(self, revocation: Revocation) -> None:
        region = self._region
        bundle, signed = revoked(region.community, region.bundle, revocation.agency)
        region.bundle, self._signed = bundle, signed
        self._ghost.learn(bundle.version, Compiled.compile(bundle), revocation.agency)
        await self._install(bundle, signed)

    async def _install(self, bundle: Bundle, signed: bytes) -> None:
        region, version = self._region, bundle.version
        while True:
            service, core = region.broker.service, region.broker.core
            if service is not None and core is not None and not region.in_force(version):
                install = service.install_bundle(version=version, signed=signed, install=partial(core.install, bundle))
                await region.until_dead(region.broker, install)
            if region.in_force(version):
                self._ghost.saw("revoked")
                return
            await asyncio.sleep(LOOK_S)

    def _open(self, agency: str, hid: bytes) -> None:
        life = self._region.nodes[agency]
        if life.node is not None and not self._book.over:
            work = self._region.until_dead(life, life.node.opened(hid))
            self._region.tasks.create_task(work, name=f"desk-opens-{agency}")


def _content(message: Message, place: int) -> PortionContent:
    text = f"Report {message.number}, part {place}. " * (1 if not message.large else _LARGE_CHARS // 20)
    return PortionContent(
        "EXERCISE", f"Report {message.number}, part {place}", (Passage(f"m{message.number}-{place}", text),)
    )
