"""Shapes as plain tuples: the same checks by place instead of by name, and the way back to the named shape.

Checking a named tuple costs about three times as much as checking the same fields by place, and every reader checks a
dozen shapes for each report. So what arrives is checked by place, with the very annotations of the shape; only what
fails is looked at again by name, so that the refusal can say where (``schemas.codec.read_shape``).
"""

import types
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

Build = Callable[[Any], Any]


class Positional(NamedTuple):
    """An annotation without named tuples, and what makes the named ones of a checked value; None where none are."""

    annotation: Any
    build: Build | None


class NoPositionalFormError(TypeError):
    """A shape whose named tuples cannot be told by place, such as a choice between two of them."""


def positional(annotation: Any) -> Positional:
    """Return the positional form of a shape or of any annotation in one.

    Raises:
        NoPositionalFormError: If there is none.
    """
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        return _of_named_tuple(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of_annotated(arguments[0], arguments[1:])
    if origin is tuple:
        return _of_tuple(arguments)
    if origin in (Union, types.UnionType):
        return _of_union(arguments)
    return Positional(annotation, None)


def _of_named_tuple(shape: Any) -> Positional:
    hints = get_type_hints(shape, include_extras=True)
    fields = [positional(hints[name]) for name in shape._fields]
    nested = [(place, field.build) for place, field in enumerate(fields) if field.build is not None]
    # What ``_make`` does but for its check of the length, which the annotation has made.
    make: Build = partial(tuple.__new__, shape)
    annotation = types.GenericAlias(tuple, tuple(field.annotation for field in fields))
    if not nested:
        return Positional(annotation, make)

    def build(checked: Any) -> Any:
        parts = list(checked)
        for place, build_part in nested:
            part = parts[place]
            if part:
                parts[place] = build_part(part)
        return make(parts)

    return Positional(annotation, build)


def _of_annotated(inner: Any, metadata: tuple[Any, ...]) -> Positional:
    annotation, build = positional(inner)
    if build is not None and not all(isinstance(item, FieldInfo) for item in metadata):
        # A function of ours in the annotation would be handed plain tuples where it expects named ones.
        msg = f"{inner} is checked by a function"
        raise NoPositionalFormError(msg)
    return Positional(Annotated[(annotation, *metadata)], build)


def _of_tuple(arguments: tuple[Any, ...]) -> Positional:
    repeated = len(arguments) == 2 and arguments[1] is Ellipsis  # noqa: PLR2004 -- tuple[X, ...]
    parts = [positional(item) for item in arguments if item is not Ellipsis]
    annotations = tuple(part.annotation for part in parts)
    if not repeated:
        if any(part.build is not None for part in parts):
            msg = "a named tuple stands in an unnamed one of fixed length"
            raise NoPositionalFormError(msg)
        return Positional(types.GenericAlias(tuple, annotations), None)
    annotation = types.GenericAlias(tuple, (annotations[0], ...))
    build_item = parts[0].build
    if build_item is None:
        return Positional(annotation, None)
    return Positional(annotation, lambda items: tuple(map(build_item, items)) if items else items)


def _of_union(arguments: tuple[Any, ...]) -> Positional:
    parts = [positional(item) for item in arguments]
    builds = [part.build for part in parts if part.build is not None]
    annotation: Any = Union.__getitem__(tuple(part.annotation for part in parts))
    if not builds:
        return Positional(annotation, None)
    if len(arguments) != 2 or type(None) not in arguments:  # noqa: PLR2004 -- a shape or None
        msg = f"a choice between {arguments}"
        raise NoPositionalFormError(msg)
    build = builds[0]
    return Positional(annotation, lambda checked: None if checked is None else build(checked))
