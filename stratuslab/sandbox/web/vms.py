"""The virtual machines of a cloud on the web page, as its clients see them: from OpenNebula's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from markupsafe import Markup

from stratuslab.sandbox.opennebula.model.history import Reason
from stratuslab.sandbox.opennebula.model.states import state_name
from stratuslab.sandbox.opennebula.model.vm_document import number
from stratuslab.sandbox.web.html_parts import Row, moment, state, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from xml.etree.ElementTree import Element

    from stratuslab.sandbox.web.html_parts import Mood

_HEADINGS = ("Name", "VM", "Owner", "State", "Address", "Started", "Host and history")
_HISTORY = Markup("<details><summary>{}</summary><ol>{}</ol></details>")
_STAY = Markup("<li>{}{}</li>")
_PHASE = Markup("<br>{} {} to {}")
_PRESENT_PHASE = Markup("<br>{} since {}")
_PHASES = {"Transfer": ("PSTIME", "PETIME"), "Running": ("RSTIME", "RETIME"), "Epilog": ("ESTIME", "EETIME")}
_REASONS: dict[int, str] = {reason.value: reason.name for reason in Reason if reason}
_MOODS: dict[str, Mood] = {
    "RUNNING": "good",
    "HOLD": "rest",
    "STOPPED": "rest",
    "SUSPENDED": "rest",
    "POWEROFF": "rest",
    "UNDEPLOYED": "rest",
    "DONE": "rest",
    "FAILED": "bad",
    "FAILURE": "bad",
    "UNKNOWN": "bad",
}


def vm_table(location: str, documents: Iterable[str], waiting: Mapping[int, str] | None = None) -> Markup:
    """Return the table of these VMs, each given as its `<VM>`; `waiting` says by id why some are PENDING."""
    rows = (_row(f"vm-{location}-{number(text, 'ID')}", text, waiting or {}) for text in documents)
    return table(f"vms-{location}", "Virtual machines", _HEADINGS, rows, "No virtual machine yet.")


def _row(row_id: str, text: str, waiting: Mapping[int, str]) -> Row:
    try:
        vm = ElementTree.fromstring(text)  # noqa: S314 - it comes from this cloud
    except ElementTree.ParseError as error:
        broken = state("broken document", "bad", str(error))
        return Row(row_id, "no name", [number(text, "ID"), "", broken, "", "", ""])
    return Row(
        row_id,
        vm.findtext("NAME") or "no name",
        [
            vm.findtext("ID"),
            unquote_plus(vm.findtext("UNAME", "")),
            _state(vm, waiting.get(_number(vm, "ID"), "")),
            ", ".join(address.text or "" for address in vm.iterfind("TEMPLATE/NIC/IP")),
            moment(_number(vm, "STIME")),
            _history(vm),
        ],
    )


def _state(vm: Element, waiting: str) -> Markup:
    name = state_name(_number(vm, "STATE"), _number(vm, "LCM_STATE"))
    error = vm.findtext("TEMPLATE/ERROR/MESSAGE") or vm.findtext("USER_TEMPLATE/ERROR", "")
    reason = error or vm.findtext("USER_TEMPLATE/SCHED_MESSAGE") or waiting
    return state(name, "bad" if name.endswith("FAILURE") else _MOODS.get(name, "moving"), reason)


def _history(vm: Element) -> Markup | str:
    stays = list(vm.iterfind("HISTORY_RECORDS/HISTORY"))
    if not stays:
        return "no host"
    return _HISTORY.format(stays[-1].findtext("HOSTNAME"), Markup().join(map(_stay, stays)))


def _stay(stay: Element) -> Markup:
    return _STAY.format(_where(stay), Markup().join(_phases(stay)))


def _where(stay: Element) -> str:
    host = stay.findtext("HOSTNAME", "")
    reason = _REASONS.get(_number(stay, "REASON"))
    return f"{host}, left for {reason}" if reason else host


def _phases(stay: Element) -> Iterator[Markup]:
    for name, (begin, end) in _PHASES.items():
        began, ended = _number(stay, begin), _number(stay, end)
        if ended:
            yield _PHASE.format(name, moment(began), moment(ended))
        elif began:
            yield _PRESENT_PHASE.format(name, moment(began))


def _number(element: Element, name: str) -> int:
    text = element.findtext(name, "")
    return int(text) if text.isdecimal() else 0
