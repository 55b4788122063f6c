"""What went wrong, out of the groups in which tasks that ended together raise it."""

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def first_of(error: BaseException, kind: type[E]) -> E | None:
    """Return the first error of a kind, however deep it stands in groups, or None if there is none."""
    if isinstance(error, kind):
        return error
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for part in parts if (found := first_of(part, kind)) is not None), None)
