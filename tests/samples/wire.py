"""A relay between nodes and broker: it writes down every byte, and keeps its port when the broker takes another."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_AGAIN_S: Final = 0.01


class Wire:
    """A relay between nodes and broker that writes down every byte of both directions.

    Attributes:
        to: The port that it passes on to; it may change, as a broker that was killed comes back on another.
        port: Its own.
        recorded: All that passed.
    """

    def __init__(self, port: int) -> None:
        self.to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.recorded = bytearray()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            self._start(self._join, near)

    def _join(self, near: socket.socket) -> None:
        """Join a link to its other end; while nobody listens there it waits, as a client would try again."""
        while near.fileno() >= 0:
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                time.sleep(_AGAIN_S)
                continue
            self._sockets.append(far)
            self._start(self._pump, near, far)
            self._pump(far, near)
            return

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while chunk := source.recv(65_536):
                with self._lock:
                    self.recorded += chunk
                target.sendall(chunk)
        except OSError:
            pass
        for end in (source, target):
            # A close alone would not wake the other thread, which waits for this socket to say something.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """End every link; the threads end with them."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(timeout=5)


@contextmanager
def on_the_wire(port: int) -> Iterator[Wire]:
    """Relay to a port for the block."""
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
