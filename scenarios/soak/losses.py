"""Whose disk came back as it was before, and who has noticed: what a lost write excuses, and what it does not.

An agency whose line acked what had not arrived has lost it as if its disk had forgotten it.
"""

from collections.abc import Callable

from scenarios.soak.reference import BROKER


class Losses:
    """The disks of one run that were put back.

    Args:
        saw: Counts what was seen.
    """

    def __init__(self, saw: Callable[[str], None]) -> None:
        self._saw = saw
        self.put_back: set[str] = set()
        self.overdue: dict[tuple[str, str], set[str]] = {}  # (author, hid): readers whose receipts must be waited for
        self.acked_unread: set[str] = set()  # agencies in whose name all was acked that had been sent
        self.log_faults = 0  # that nodes have put down since
        self._noticed: set[str] = set()

    def note(self, owner: str, *, forgot: bool) -> None:
        """Note that a disk was put back; whether its owner notices is still to be seen.

        Args:
            owner: Whose disk.
            forgot: Whether it had more deliveries before. A copy that was made after a loss was noticed, and since
                then nothing came, has nothing new to notice.
        """
        self.put_back.add(owner)
        if forgot:
            self._noticed.discard(owner)
        self._saw(f"put back the {'broker' if owner == BROKER else 'node'}")

    def noticed(self, agency: str, stage: str) -> bool:
        """Take in that a node noticed a gap in its deliveries or a fault of the log; False if it has no reason to."""
        if stage == "log_fault":
            self.log_faults += 1
            return BROKER in self.put_back
        self._noticed.add(agency)
        return agency in self.put_back | self.acked_unread

    def explain(self, author: str, hid: str, reader: str) -> bool:
        """Tell whether a lost write explains that a reader does not hold what was accepted for it.

        A reader that forgot it must have noticed that it forgot something. If the broker forgot it, the author must
        still wait for the receipt, since that is how it will be told; so too where the reader's line acked it unread.
        """
        if reader in self.put_back and (reader in self._noticed or BROKER in self.put_back):
            self._saw("forgotten by a reader that noticed")
            return True
        if reader in self.acked_unread and reader in self._noticed:
            self._saw("acked unread by a reader that noticed")
            return True
        if BROKER in self.put_back or reader in self.acked_unread:
            self._saw("forgotten by the broker" if BROKER in self.put_back else "acked unread")
            if author not in self.put_back:
                self.overdue.setdefault((author, hid), set()).add(reader)
            return True
        return False
