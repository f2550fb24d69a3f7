"""What tools that report crashes see: the local variables of the frames of an error and its causes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import StratusLabError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from tests.libcloud.conftest import ScriptedServer

PASSWORD = "opensesame"
SECRETS = [PASSWORD, base64.b64encode(f"alice:{PASSWORD}".encode()).decode()]


def shown(error: BaseException | None, seen: set[int]) -> Iterator[str]:
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        step = error.__traceback__
        while step is not None:
            if "/tests/" not in step.tb_frame.f_code.co_filename:
                for name, value in step.tb_frame.f_locals.items():
                    yield f"{step.tb_frame.f_code.co_name}: {name} = {value!r}"
            step = step.tb_next
        yield from shown(error.__context__, seen)
        error = error.__cause__


CALLS: dict[str, Any] = {
    "list_nodes": lambda driver: driver.list_nodes(),
    "ex_get_node_details": lambda driver: driver.ex_get_node_details("1"),
    "list_volumes": lambda driver: driver.list_volumes(),
}


@pytest.mark.parametrize(
    ("path", "call"),
    [
        *(("/RPC2", name) for name in CALLS if name != "list_volumes"),
        *(("/here", name) for name in CALLS),
    ],
)
@pytest.mark.parametrize("what", ["cut", "refused", "garbage", "status", "interrupted"])
def test_no_frame_shows_the_password(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    path: str,
    call: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"garbage": b"garbage", "status": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}
    url = serve(answers.get(what, b"")).url if what != "refused" else "http://127.0.0.1:9"
    driver = StratusLabNodeDriver("alice", PASSWORD, host=f"{url}{path}", timeout=5)
    if what == "interrupted":

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(
            "stratuslab.client.transport.deadline._Timed.getresponse", interrupted, raising=False
        )
    with pytest.raises((StratusLabError, KeyboardInterrupt)) as caught:
        CALLS[call](driver)

    found = list(shown(caught.value, set()))
    assert found
    assert [line for line in found if any(secret in line for secret in SECRETS)] == []
