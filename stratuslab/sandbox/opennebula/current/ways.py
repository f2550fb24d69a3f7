"""How VMs get from state to state: which action is possible in which state, and what lies on the way."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from stratuslab.sandbox.opennebula.model.states import LcmState as L
from stratuslab.sandbox.opennebula.model.states import VmState as S

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = tuple[int, int]


def _at(state: int) -> Place:
    return int(state), 0


def _in(lcm_state: int) -> Place:
    return int(S.ACTIVE), int(lcm_state)


@dataclass(frozen=True)
class Step:
    """A place on a way; a VM stays there for this many quarters of the time of a start.

    `event` is carried out on arrival. `stage` is what a driver does here; if it fails, the VM goes to
    `failure`.
    """

    place: Place
    quarters: float = 1
    event: str = ""
    stage: str = ""
    failure: Place | None = None


RUNNING = _in(L.RUNNING)
PENDING, HOLD, CLONING, CLONING_FAILURE = map(_at, (S.PENDING, S.HOLD, S.CLONING, S.CLONING_FAILURE))
POWEROFF, SUSPENDED, STOPPED, UNDEPLOYED, DONE = map(
    _at, (S.POWEROFF, S.SUSPENDED, S.STOPPED, S.UNDEPLOYED, S.DONE)
)
_FAILED = tuple(
    _in(lcm)
    for lcm in (
        L.BOOT_FAILURE, L.PROLOG_FAILURE, L.EPILOG_FAILURE, L.BOOT_STOPPED_FAILURE, L.BOOT_UNDEPLOY_FAILURE,
        L.PROLOG_RESUME_FAILURE, L.PROLOG_UNDEPLOY_FAILURE, L.EPILOG_STOP_FAILURE, L.EPILOG_UNDEPLOY_FAILURE,
    )
)  # fmt: skip
_UNKNOWN = _in(L.UNKNOWN)
Way = tuple[Step, ...]

_GONE = Step(DONE, 0, "ended")
_EPILOG = Step(_in(L.EPILOG), event="epilog", stage="epilog", failure=_in(L.EPILOG_FAILURE))
_END: Way = (
    Step(_in(L.SHUTDOWN), stage="shutdown", failure=RUNNING),
    _EPILOG,
    _GONE,
)
_CLEAN: Way = (_EPILOG, _GONE)
_ALIVE = Step(RUNNING, 0, "running")
_POWEROFF: Way = (
    Step(_in(L.SHUTDOWN_POWEROFF), stage="poweroff", failure=RUNNING),
    Step(POWEROFF, 0, "left"),
)
_SUSPEND: Way = (Step(_in(L.SAVE_SUSPEND), stage="save", failure=RUNNING), Step(SUSPENDED, 0, "left"))
_STOP: Way = (
    Step(_in(L.SAVE_STOP), stage="save", failure=RUNNING),
    Step(_in(L.EPILOG_STOP), stage="epilog", failure=_in(L.EPILOG_STOP_FAILURE)),
    Step(STOPPED, 0, "left"),
)
_UNDEPLOY: Way = (
    Step(_in(L.SHUTDOWN_UNDEPLOY), stage="shutdown", failure=RUNNING),
    Step(_in(L.EPILOG_UNDEPLOY), stage="epilog", failure=_in(L.EPILOG_UNDEPLOY_FAILURE)),
    Step(UNDEPLOYED, 0, "left"),
)
_WAIT = Step(PENDING, 1)


def _begin(prolog: int, boot: int, prolog_failure: int, boot_failure: int) -> Way:
    """Return the way of a VM that a host was found for."""
    return (
        Step(_in(prolog), 2, "deployed", "prolog", _in(prolog_failure)),
        Step(_in(boot), 1, "booting", "boot", _in(boot_failure)),
        _ALIVE,
    )


def _back(place: Place, lcm_state: int) -> Way:
    """Return the way of a VM that is still on its host; the old state shows for a moment."""
    return (Step(place, 0.25), Step(_in(lcm_state), 1, "returned", "boot", POWEROFF), _ALIVE)


def _from(places: tuple[Place, ...], way: Way) -> dict[Place, Way]:
    return dict.fromkeys(places, way)


BEGINNINGS: Mapping[Place, Way] = MappingProxyType(
    {
        PENDING: _begin(L.PROLOG, L.BOOT, L.PROLOG_FAILURE, L.BOOT_FAILURE),
        STOPPED: _begin(L.PROLOG_RESUME, L.BOOT_STOPPED, L.PROLOG_RESUME_FAILURE, L.BOOT_STOPPED_FAILURE),
        UNDEPLOYED: _begin(
            L.PROLOG_UNDEPLOY, L.BOOT_UNDEPLOY, L.PROLOG_UNDEPLOY_FAILURE, L.BOOT_UNDEPLOY_FAILURE
        ),
    }
)
"""What follows when a PENDING VM gets a host, by the place where it was before it became PENDING."""

_TERMINATE = {
    RUNNING: _END,
    _UNKNOWN: _END,
    **_from((PENDING, HOLD, CLONING, CLONING_FAILURE), (_GONE,)),
    **_from((POWEROFF, SUSPENDED, STOPPED, UNDEPLOYED, *_FAILED), _CLEAN),
    DONE: (),
}
_STAY: Way = ()
WAYS: Mapping[str, Mapping[Place, Way]] = MappingProxyType(
    {
        "terminate": _TERMINATE,
        "terminate-hard": _TERMINATE,
        "poweroff": {RUNNING: _POWEROFF, _UNKNOWN: _POWEROFF},
        "poweroff-hard": {RUNNING: _POWEROFF, _UNKNOWN: _POWEROFF},
        "suspend": {RUNNING: _SUSPEND},
        "stop": {RUNNING: _STOP, SUSPENDED: _STOP[1:]},
        "undeploy": {RUNNING: _UNDEPLOY, _UNKNOWN: _UNDEPLOY, POWEROFF: _UNDEPLOY[1:]},
        "undeploy-hard": {RUNNING: _UNDEPLOY, _UNKNOWN: _UNDEPLOY, POWEROFF: _UNDEPLOY[1:]},
        "resume": {
            POWEROFF: _back(POWEROFF, L.BOOT_POWEROFF),
            SUSPENDED: _back(SUSPENDED, L.BOOT_SUSPENDED),
            **_from((STOPPED, UNDEPLOYED), (_WAIT,)),
            _UNKNOWN: _back(_UNKNOWN, L.BOOT_UNKNOWN),
        },
        "hold": {PENDING: (Step(HOLD, 0),), CLONING: (Step(HOLD, 0),)},
        "release": {HOLD: (_WAIT,)},
        "reboot": {RUNNING: _STAY, _UNKNOWN: _STAY},
        "reboot-hard": {RUNNING: _STAY, _UNKNOWN: _STAY},
        "resched": {RUNNING: _STAY, POWEROFF: _STAY},
        "unresched": {RUNNING: _STAY, POWEROFF: _STAY},
    }
)
"""The actions; each has the ways that it begins, by the place of the VM."""

ADMINS = ("resched", "unresched", "delete", "delete-recreate")
"""The actions that only administrators may ask for, including those that no longer exist."""

HISTORY_ACTIONS = MappingProxyType(
    {
        "undeploy": 5, "undeploy-hard": 6, "stop": 9, "suspend": 10, "resume": 11, "poweroff": 19,
        "poweroff-hard": 20, "disk-attach": 21, "disk-detach": 22, "nic-attach": 23, "nic-detach": 24,
        "terminate": 27, "terminate-hard": 28,
    }
)  # fmt: skip
"""The numbers of actions in history records."""
