"""The points at which a crash test may end a process: named in the product, passed by in earnest.

Whatever stands between two effects that others can see has a name here. A database is asked (``Database.passing``) each
time that its owner comes to one; in earnest that does nothing, and no option, variable or file makes it do anything.
Only a program that runs the parts itself can put something else there, as the driver of the crash rounds does.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

Point = Literal[
    "send.1",  # a release is in the outbox, and not yet on disk: nobody may have been told that it was accepted
    "send.2",  # it is on disk, and nobody has been told
    "send.3",  # it was published, and no verdict has come
    "send.4",  # a verdict or a receipt has come, and is not yet on disk: the release will be sent again
    "recv.1",  # a delivery is in the inbox, and not yet on disk
    "recv.2",  # it is on disk; neither the desk nor the author knows
    "recv.3",  # the ack is about to leave
    "route.1",  # a batch is decided, and not yet on disk
    "route.2",  # a message is in the tables, and the rows of all its readers are not
    "route.3",  # the batch is on disk, and nobody knows
    "route.4",  # what was decided has reached one agency of several
    "audit.1",  # a checkpoint is signed, and not yet on disk
    "audit.2",  # it is on disk, and nobody has seen it
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)

Passing = Callable[[Point], None]


def pass_by(_point: Point) -> None:
    """Come to a point in earnest: nothing happens."""
