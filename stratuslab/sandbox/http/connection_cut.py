"""How an application has the server cut the connection of a request: a note in the request's environ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NOTE = "stratuslab.sandbox.cut_after"


def cut(environ: WSGIEnvironment, body_bytes: int | None = None) -> None:
    """Let the connection be cut after the head and this many bytes of the body, or (None) before any answer.

    A cut that was asked for before stays as it is.
    """
    environ.setdefault(_NOTE, body_bytes)


def is_cut(environ: WSGIEnvironment) -> bool:
    """Tell whether the connection is to be cut."""
    return _NOTE in environ


def is_unanswered(environ: WSGIEnvironment) -> bool:
    """Tell whether the connection is to be cut before any answer."""
    return is_cut(environ) and environ[_NOTE] is None


def body_limit(environ: WSGIEnvironment) -> int | None:
    """Return how many bytes of the body may be sent; None for all of them."""
    return environ.get(_NOTE)
