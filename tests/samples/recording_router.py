"""A router that decides nothing: behind the embedded broker, or the model of one, it keeps what it is told."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from broker.application import Credentials, Publication


class Session(Protocol):
    """What it needs of an attachment; both ``broker.application`` and ``transport.simnet`` have one."""

    @property
    def agency(self) -> str:
        """Whose it is."""
        ...

    def send(self, payload: bytes) -> bool:
        """Send a frame down."""
        ...


class RecordingRouter:
    """An ``Application`` of the MQTT server and a ``Front`` of the simulated network.

    Args:
        passwords: Who may log in, and by what.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self._attachments: dict[str, Session] = {}
        self._changed = asyncio.Event()
        self._here = asyncio.Event()
        self._here.set()
        self.arrived: list[tuple[str, bytes]] = []
        self.sessions: list[str] = []
        self.answer = Publication.SUCCESS

    # What the broker calls.

    def authenticate(self, credentials: Credentials) -> str | None:
        expected = self._passwords.get(credentials.client_id)
        given = (credentials.password or b"").decode()
        return credentials.client_id if expected is not None and given == expected else None

    async def attached(self, attachment: Session) -> None:
        self._attachments[attachment.agency] = attachment
        self._note(f"attached {attachment.agency}")

    async def published(self, agency: str, payload: bytes) -> Publication:
        await self._here.wait()
        self.arrived.append((agency, payload))
        self._changed.set()
        return self.answer

    async def detached(self, attachment: Session) -> None:
        if self._attachments.get(attachment.agency) is attachment:
            del self._attachments[attachment.agency]
        self._note(f"detached {attachment.agency}")

    def _note(self, what: str) -> None:
        self.sessions.append(what)
        self._changed.set()

    # What the contract calls.

    async def ready_for(self, agency: str) -> None:
        await self.until(lambda: agency in self._attachments)

    async def send(self, agency: str, frame: bytes) -> None:
        attachment = self._attachments.get(agency)
        if attachment is not None:
            attachment.send(frame)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def hang(self) -> None:
        """Decide on nothing from now on."""
        self._here.clear()

    def go_on(self) -> None:
        """Decide again."""
        self._here.set()
