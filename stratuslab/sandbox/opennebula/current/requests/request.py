"""What the requests have in common: who asks, what, and with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from stratuslab.sandbox.opennebula.current.attributes import read_template
from stratuslab.sandbox.opennebula.current.refusals import Code, RefusalError
from stratuslab.sandbox.opennebula.template.template import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratuslab.sandbox.opennebula.current.objects import Account
    from stratuslab.sandbox.opennebula.requests.request import Arguments

    Requests: TypeAlias = "Mapping[str, Callable[[Request], str | int]]"


@dataclass(frozen=True)
class Request:
    """A request of a user at a time; `driver` tells how the driver behind it is to fail, empty for not."""

    user: Account
    arguments: Arguments
    now: float
    driver: str = ""

    @property
    def who(self) -> tuple[int, int]:
        """The ids of the user and of the group."""
        return self.user.id, self.user.gid

    def optional_boolean(self, index: int, *, default: bool) -> bool:
        """Return a boolean, or the default if the argument is missing."""
        return self.arguments.boolean(index) if self.arguments.has(index) else default

    def optional_string(self, index: int) -> str:
        """Return a string, empty if the argument is missing."""
        return self.arguments.string(index) if self.arguments.has(index) else ""

    def optional_integer(self, index: int, default: int) -> int:
        """Return an integer, or the default if the argument is missing."""
        return self.arguments.integer(index) if self.arguments.has(index) else default

    def template(self, index: int, code: Code = Code.INTERNAL, prefix: str = "") -> Template:
        """Return a template; raises RefusalError if it is none."""
        text = self.arguments.string(index)
        try:
            return read_template(text)
        except TemplateError as error:
            raise RefusalError(code, f"{prefix}{error}") from error
