"""A fault as a rule: for what, when, and what happens; and how that is written in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from stratuslab.sandbox.faults.action import (
    DEFAULT_MEDIA_TYPE,
    DEFAULT_TEXT,
    ContentType,
    CutAfter,
    CutAt,
    CutBefore,
    Delay,
    DriverFailure,
    Garbage,
    OneError,
    Redirect,
    Status,
    XmlRpcFault,
)
from stratuslab.sandbox.faults.occurrence import Always, Nth, Pattern, Probability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratuslab.sandbox.faults.action import Action
    from stratuslab.sandbox.faults.occurrence import Occurrence

GRAMMAR = """\
A fault RULE is OPERATION[@LOCATION][:WHEN]:WHAT, for instance one.vm.allocate@sandbox:nth=2:cut-after

OPERATION  an XML-RPC method, or an HTTP method and a path with UUID, ID or MOUNT in the place of what
           differs: one.vm.info, "POST /disks/UUID/mounts/", "GET /metadata/ID"; * ? [abc] as in a shell
LOCATION   the name of a cloud; without it all of them

WHEN, without it always:
  nth=N                    the Nth of these requests
  sequence=ok,fail,...     the first ones like this, none after them
  cycle=ok,fail,...        like this again and again
  probability=P[:seed=N]   at random, with 0 <= P <= 1; the same seed, or none, makes the same choice again

WHAT, of which the first three are ways to lose an answer:
  cut-before               cut the connection; the request takes no effect
  cut-after                cut the connection after the request took effect
  cut-at=BYTES             the same, after the head and this many bytes of the body of the answer
  delay=SECONDS            wait (in real time), then carry the request out
  delay=SECONDS:carried-out
                           carry the request out, then wait
  status=CODE[:carried-out][:retry-after=SECONDS][[:type=TYPE]:text=TEXT]
                           answer with an HTTP status; carry the request out only if that is said
  error=CODE[:text=TEXT]   an error of OpenNebula; the call takes no effect
  xmlrpc-fault=CODE[:text=TEXT]
                           a fault of XML-RPC; the call takes no effect
  redirect=URL             status 302; the request takes no effect
  garbage                  carry the request out, answer with a body that is neither text, XML nor JSON
  driver=fails             OpenNebula from 5.12 on accepts the call; its driver fails later
                           driver=prolog, boot, shutdown, poweroff, save, epilog: in that stage;
                           driver=hangs: never ends, so that an image stays LOCKED
  content-type=TYPE        carry the request out, give the answer a wrong type

text= and redirect= take all that follows to the end of the rule, colons too.
"""

_TO_THE_END = ("text", "redirect")
_FLAGS = ("cut-before", "cut-after", "garbage", "carried-out")
_FAILING = {"ok": False, "fail": True}
_OUTCOME = {failing: word for word, failing in _FAILING.items()}


@dataclass(frozen=True)
class Fault:
    """A rule by which something goes wrong.

    `operation` is a pattern, with `*`, `?` and `[abc]`, of the operations of the request log. Without a
    `location` it is for all of them. An error of OpenNebula or a fault of XML-RPC is only for requests
    to the compute service. `str` writes the rule the way `parse` reads it.
    """

    operation: str
    action: Action
    location: str | None = None
    occurrence: Occurrence = field(default_factory=Always)

    def __post_init__(self) -> None:
        if not self.operation or ":" in self.operation or "@" in self.operation:
            raise ValueError("it begins with an operation, in which ? stands for a colon or an @")

    @classmethod
    def parse(cls, rule: str) -> Fault:
        """Read a rule as GRAMMAR describes it; ValueError says what is wrong with it."""
        try:
            return _parsed(rule)
        except ValueError as error:
            raise ValueError(f"{rule!r} is not a rule for a fault: {error}") from error

    def matches(self, service: str, operation: str, location: str) -> bool:
        """Tell whether the rule is for a request, which is described in the terms of the request log."""
        if isinstance(self.action, (OneError, XmlRpcFault, DriverFailure)) and service != "compute":
            return False
        return self.location in (None, location) and fnmatchcase(operation, self.operation)

    def __str__(self) -> str:
        where = "" if self.location is None else f"@{self.location}"
        return ":".join([self.operation + where, *_occurrence(self.occurrence), *_action(self.action)])


class _Settings:
    """The settings of a rule, taken out one after the other."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, str] = {}
        while text:
            name = text.partition(":")[0].partition("=")[0]
            setting, _, text = (text, "", "") if name in _TO_THE_END else text.partition(":")
            _, equals, value = setting.partition("=")
            if name not in _NAMES:
                raise ValueError(f"there is no setting {name!r}")
            if name in self._values:
                raise ValueError(f"{name} comes twice")
            if name in _FLAGS and equals:
                raise ValueError(f"{name} takes no value")
            if name not in _FLAGS and not equals:
                raise ValueError(f"{name} needs a value")
            self._values[name] = value

    def those_of(self, names: Iterable[str]) -> list[str]:
        return [name for name in self._values if name in names]

    def take(self, name: str) -> str | None:
        return self._values.pop(name, None)

    def finish(self) -> None:
        if self._values:
            raise ValueError(f"{next(iter(self._values))} does not belong here")


def _parsed(rule: str) -> Fault:
    target, _, text = rule.partition(":")
    operation, at, location = target.partition("@")
    if at and not location:
        raise ValueError("after the @ comes the name of a location")
    settings = _Settings(text)
    occurrences, actions = settings.those_of(_OCCURRENCES), settings.those_of(_ACTIONS)
    if len(occurrences) > 1:
        raise ValueError(f"{' and '.join(occurrences)} do not go together")
    if len(actions) != 1:
        raise ValueError(f"it needs exactly one of {', '.join(_ACTIONS)}")
    occurrence = next(
        (_OCCURRENCES[name](settings.take(name) or "", settings) for name in occurrences), Always()
    )
    action = _ACTIONS[actions[0]](settings.take(actions[0]) or "", settings)
    settings.finish()
    return Fault(operation, action, location or None, occurrence)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def _outcomes(text: str) -> tuple[bool, ...]:
    words = text.split(",")
    if not all(word in _FAILING for word in words):
        raise ValueError(f"{text!r} is not like ok,fail,ok")
    return tuple(_FAILING[word] for word in words)


def _probability(text: str, settings: _Settings) -> Probability:
    return Probability(_number(text), _integer(settings.take("seed") or "0"))


def _delay(text: str, settings: _Settings) -> Delay:
    return Delay(_number(text), settings.take("carried-out") is not None)


def _status(text: str, settings: _Settings) -> Status:
    retry_after = settings.take("retry-after")
    body = settings.take("text")
    media_type = None if body is None else settings.take("type")
    return Status(
        _integer(text),
        settings.take("carried-out") is not None,
        None if retry_after is None else _integer(retry_after),
        DEFAULT_MEDIA_TYPE if media_type is None else media_type,
        body,
    )


def _text(settings: _Settings) -> str:
    text = settings.take("text")
    return DEFAULT_TEXT if text is None else text


_OCCURRENCES: dict[str, Callable[[str, _Settings], Occurrence]] = {
    "nth": lambda value, _: Nth(_integer(value)),
    "sequence": lambda value, _: Pattern(_outcomes(value)),
    "cycle": lambda value, _: Pattern(_outcomes(value), cycle=True),
    "probability": _probability,
}
_ACTIONS: dict[str, Callable[[str, _Settings], Action]] = {
    "cut-before": lambda _, __: CutBefore(),
    "cut-after": lambda _, __: CutAfter(),
    "cut-at": lambda value, _: CutAt(_integer(value)),
    "delay": _delay,
    "status": _status,
    "error": lambda value, settings: OneError(_integer(value), _text(settings)),
    "xmlrpc-fault": lambda value, settings: XmlRpcFault(_integer(value), _text(settings)),
    "redirect": lambda value, _: Redirect(value),
    "garbage": lambda _, __: Garbage(),
    "content-type": lambda value, _: ContentType(value),
    "driver": lambda value, _: DriverFailure(value),
}
_NAMES = {*_OCCURRENCES, *_ACTIONS, "seed", "carried-out", "retry-after", "type", "text"}


def _occurrence(occurrence: Occurrence) -> Iterator[str]:
    match occurrence:
        case Nth(number):
            yield f"nth={number}"
        case Pattern(failing, cycle):
            yield f"{'cycle' if cycle else 'sequence'}={','.join(_OUTCOME[outcome] for outcome in failing)}"
        case Probability(probability, seed):
            yield f"probability={probability!r}"
            yield f"seed={seed}"


def _action(action: Action) -> Iterator[str]:
    match action:
        case CutBefore():
            yield "cut-before"
        case CutAfter():
            yield "cut-after"
        case CutAt(body_bytes):
            yield f"cut-at={body_bytes}"
        case Delay(seconds, carried_out):
            yield f"delay={seconds!r}"
            yield from ["carried-out"] * carried_out
        case Status(code, carried_out, retry_after, media_type, text):
            yield f"status={code:d}"
            yield from ["carried-out"] * carried_out
            if retry_after is not None:
                yield f"retry-after={retry_after}"
            if text is not None:
                yield f"type={media_type}"
                yield f"text={text}"
        case OneError(code, text):
            yield f"error={code:d}"
            yield f"text={text}"
        case XmlRpcFault(code, text):
            yield f"xmlrpc-fault={code:d}"
            yield f"text={text}"
        case Redirect(url):
            yield f"redirect={url}"
        case Garbage():
            yield "garbage"
        case ContentType(media_type):
            yield f"content-type={media_type}"
        case DriverFailure(stage):
            yield f"driver={stage}"
