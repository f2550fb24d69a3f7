"""Errors without the local variables of those who handled a secret: tools that report crashes show them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from stratuslab.client.errors import StratusLabError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["without_frames"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def without_frames(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Remove the frames from the errors of a function that is given secrets, or reads them.

    Their text says what is wrong with which argument or key. A cause is kept, without its own frames.
    """

    @functools.wraps(function)
    def called(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> _Result:
        try:
            return function(*arguments, **keywords)
        except StratusLabError as error:
            del arguments, keywords
            seen: BaseException | None = error
            while seen is not None:
                seen.__traceback__ = seen.__context__ = None
                seen = seen.__cause__
            raise error  # A bare raise would bring the frames back on Python 3.10.

    return called
