"""What is told is true: deletions, "nothing was sent", whose answer it is, and tokens of the caller's own."""

from __future__ import annotations

import io
import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from libcloud.compute.base import StorageVolume
from werkzeug import Request as WerkzeugRequest
from werkzeug import Response as WerkzeugResponse
from werkzeug.serving import make_server

from stratuslab.client.errors import (
    AnswerLostError,
    CredentialsError,
    DuplicateError,
    InvalidArgumentError,
    MalformedAnswerError,
    NotFoundError,
    ServiceError,
    StratusLabError,
    UnreachableError,
    UnsettledError,
    outcome_unknown,
)
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.libcloud.conftest import ScriptedServer


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratuslab.client.transport.retry._FIRST_PAUSE", 0.0)


@pytest.fixture
def hasty(sandbox: Sandbox) -> StratusLabNodeDriver:
    return StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=0.5)


def start(driver: StratusLabNodeDriver, **arguments: Any) -> Any:
    return driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0], **arguments)


# A deletion is believed on PDisk's own word


@pytest.mark.parametrize("status", [404, 200])
def test_a_page_of_the_web_server_deletes_no_volume(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, status: int
) -> None:
    volume = hasty.create_volume(1, "data")
    rules = ["DELETE /disks/UUID:nth=1:status=503", f"DELETE /disks/UUID:nth=2:status={status}"]
    for rule in rules if status == 404 else ["DELETE /disks/UUID:status=200"]:
        sandbox.faults.add(rule)

    with pytest.raises(StratusLabError) as caught:
        hasty.destroy_volume(volume)
    assert outcome_unknown(caught.value)
    assert [found.id for found in hasty.list_volumes()] == [volume.id]


@pytest.mark.parametrize("status", [404, 200])
def test_a_page_of_the_web_server_detaches_no_volume(
    sandbox: Sandbox, driver: StratusLabNodeDriver, hasty: StratusLabNodeDriver, status: int
) -> None:
    node, volume = start(driver), hasty.create_volume(1, "data")
    sandbox.clock.step(60)
    hasty.attach_volume(node, volume)
    sandbox.faults.add("DELETE /disks/UUID/mounts/MOUNT:nth=1:status=503")
    sandbox.faults.add(f"DELETE /disks/UUID/mounts/MOUNT:status={status}")

    with pytest.raises(StratusLabError) as caught:
        hasty.detach_volume(volume)
    assert outcome_unknown(caught.value)
    assert hasty.ex_get_volume(volume.id).extra["count"] == 1


def test_a_deletion_whose_answer_was_lost_is_believed_on_pdisks_own_404(
    sandbox: Sandbox, hasty: StratusLabNodeDriver
) -> None:
    volume = hasty.create_volume(1, "data")
    sandbox.faults.add("DELETE /disks/UUID:nth=1:cut-after")

    assert hasty.destroy_volume(volume)
    assert hasty.list_volumes() == []


OTHER = "01234567-89ab-cdef-0123-456789abcdef"
THIS = "89abcdef-89ab-cdef-0123-456789abcdef"
ABOUT_ANOTHER: dict[str, tuple[dict[str, Any] | list[str], Callable[[Any, Any], Any]]] = {
    "destroy_volume": ({"uuid": OTHER}, lambda driver, uuid: driver.destroy_volume(volume_of(driver, uuid))),
    "ex_get_volume": (
        {"uuid": OTHER, "size": "1", "tag": "x", "count": "0"},
        lambda driver, volume: driver.ex_get_volume(volume),
    ),
}


@pytest.mark.parametrize(("answer", "ask"), ABOUT_ANOTHER.values(), ids=ABOUT_ANOTHER)
def test_an_answer_about_another_disk_is_refused(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    answer: dict[str, str],
    ask: Callable[..., object],
) -> None:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    server = serve(head.encode() + body)
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(MalformedAnswerError, match="not about"):
        ask(driver, THIS)


def test_a_404_about_another_disk_deletes_no_volume(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    """The first try may have been carried out; the second is answered in PDisk's way, of another disk."""
    answers = [page(503, b""), page(404, json.dumps({"message": f"disk {OTHER} not found"}).encode())]
    server = serve(lambda connection: connection.sendall(answers.pop(0)))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(StratusLabError) as caught:
        driver.destroy_volume(volume_of(driver, THIS))
    assert outcome_unknown(caught.value)


NOT_THERE = json.dumps({"code": 404, "message": f"The server has not found disk {OTHER}"}).encode()


@pytest.mark.parametrize(
    "ask",
    [
        lambda driver: driver.destroy_volume(volume_of(driver, THIS)),
        lambda driver: driver.ex_get_volume(THIS),
        lambda driver: driver._at(None).disks.hot_detach(THIS, 7),
        lambda driver: driver._at(None).disks.mounts(THIS),
    ],
    ids=["destroy", "get", "detach", "mounts"],
)
def test_that_another_disk_is_not_there_says_nothing_of_ours(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], ask: Callable[..., object]
) -> None:
    driver = StratusLabNodeDriver("demo", "demo-pass", host=serve(page(404, NOT_THERE)).url, timeout=5)

    with pytest.raises(MalformedAnswerError, match="not about"):
        ask(driver)


def test_an_answer_about_another_image_is_refused(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=5)
    asked, other = (image.id for image in driver.list_images()[:2])
    with in_between(sandbox.url, lambda path: path.replace(asked, other)) as url:
        settings = sandbox.config_file.read_text(encoding="utf-8").replace(sandbox.url, url)
        driver = StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(settings), timeout=5)
        calls: list[Callable[[], object]] = [
            lambda: driver.get_image(asked),
            lambda: driver.ex_get_image_metadata(asked),
            lambda: driver.create_node("web", "m1.small", asked),
        ]
        for call in calls:
            with pytest.raises(MalformedAnswerError, match=f"about {other}, not about {asked}"):
                call()
        assert driver.list_nodes() == []


OF_GATEWAYS = {
    "no route": {"message": "no Route matched with those values"},
    "path": {"message": f"No route found for DELETE https://cloud/pdisk/pswd/disks/{THIS}"},
    "path and code": {"message": f"The route pdisk/pswd/disks/{THIS} could not be found.", "code": 404},
    "its own word": {"message": f"{THIS} is not known here"},
    "path's end": {"message": f"/disks/{THIS}/ is not here", "code": 404},
}


@pytest.mark.parametrize("body", OF_GATEWAYS.values(), ids=OF_GATEWAYS)
def test_a_gateways_json_deletes_no_volume(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], body: dict[str, object]
) -> None:
    answers = [page(503, b""), page(404, json.dumps(body).encode())]
    server = serve(lambda connection: connection.sendall(answers.pop(0)))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(StratusLabError) as caught:
        driver.destroy_volume(volume_of(driver, THIS))
    assert outcome_unknown(caught.value)


@pytest.mark.parametrize(
    "body", [OF_GATEWAYS["no route"], OF_GATEWAYS["its own word"]], ids=["route", "word"]
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda driver: driver.destroy_volume(volume_of(driver, THIS)),
        lambda driver: driver.detach_volume(volume_of(driver, THIS)),
        lambda driver: driver.ex_get_volume(THIS),
        lambda driver: driver.list_volumes(),
    ],
    ids=["destroy", "detach", "get", "list"],
)
def test_a_gateways_json_does_not_say_that_a_volume_is_gone(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    ask: Callable[..., object],
    body: dict[str, object],
) -> None:
    server = serve(page(404, json.dumps(body).encode()))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(ServiceError, match="404") as caught:
        ask(driver)
    assert not isinstance(caught.value, NotFoundError)


@pytest.mark.parametrize("status", [408, 413, 409])
def test_a_gateways_refusal_in_json_does_not_say_that_nothing_was_done(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer], status: int
) -> None:
    server = serve(page(status, b'{"message": "not now"}'))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=5)

    with pytest.raises(StratusLabError, match="not now") as caught:
        driver.destroy_volume(volume_of(driver, THIS))
    assert outcome_unknown(caught.value)


MOUNTS: dict[str, tuple[dict[str, str], Callable[[Any], Any]]] = {
    "attached to another VM": (
        {"uuid": THIS, "vm_id": "8", "target": "vdz"},
        lambda disks: disks.hot_attach(THIS, "host", 7),
    ),
    "another disk attached": (
        {"uuid": OTHER, "vm_id": "7", "target": "vdz"},
        lambda disks: disks.hot_attach(THIS, "host", 7),
    ),
    "detached from another VM": (
        {"uuid": THIS, "mountId": f"{THIS}_8"},
        lambda disks: disks.hot_detach(THIS, 7),
    ),
}


@pytest.mark.parametrize(("mount", "ask"), MOUNTS.values(), ids=MOUNTS)
def test_an_answer_about_another_mount_is_refused(
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
    mount: dict[str, str],
    ask: Callable[..., object],
) -> None:
    server = serve(page(200, json.dumps(mount).encode()))
    driver = StratusLabNodeDriver("demo", "demo-pass", host=server.url, timeout=0.3)

    with pytest.raises(MalformedAnswerError, match="not about"):
        ask(driver._at(None).disks)


def page(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\nRetry-After: 0\r\n\r\n".encode() + body


# The worst that is true of all tries


REPEATED: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "destroy_node": ("one.vm.action", lambda driver, item: driver.destroy_node(item)),
    "destroy_volume": ("DELETE /disks/UUID", lambda driver, item: driver.destroy_volume(item)),
}


@pytest.mark.parametrize("second", ["status=401", "status=403", "status=404", "status=413"])
@pytest.mark.parametrize("first", ["cut-after", "status=503:carried-out"])
@pytest.mark.parametrize("operation", REPEATED)
def test_a_refusal_of_the_repetition_is_not_the_whole_truth(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, operation: str, first: str, second: str
) -> None:
    request, act = REPEATED[operation]
    item = start(hasty) if operation == "destroy_node" else hasty.create_volume(1, "data")
    sandbox.faults.add(f"{request}:nth=1:{first}")
    sandbox.faults.add(f"{request}:{second}")

    with pytest.raises(StratusLabError) as caught:
        act(hasty, item)
    assert outcome_unknown(caught.value), caught.value


@pytest.mark.parametrize("status", [307, 408, 413, 429])
@pytest.mark.parametrize("action", ["ex_shutdown_node", "reboot_node", "ex_suspend_node"])
def test_a_status_in_place_of_the_answer_does_not_deny_an_action(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, action: str, status: int
) -> None:
    node = start(hasty)
    sandbox.clock.step(60)
    sandbox.faults.add(f"one.vm.action:status={status}:carried-out")

    with pytest.raises(AnswerLostError, match="may have been carried out"):
        getattr(hasty, action)(node)


def test_nothing_was_sent_is_said_only_if_nothing_was_sent() -> None:
    """The first try is carried out and its answer lost; then nobody listens any more."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve_once() -> None:
        connection, _ = listener.accept()
        listener.close()
        with connection:
            connection.recv(65536)

    server = threading.Thread(target=serve_once)
    server.start()
    driver = StratusLabNodeDriver("demo", "demo-pass", host=f"http://127.0.0.1:{port}", timeout=5)

    with pytest.raises(AnswerLostError, match="may have been carried out") as caught:
        driver.destroy_volume(volume_of(driver, OTHER))
    server.join(10)
    assert not isinstance(caught.value, UnreachableError)


def volume_of(driver: StratusLabNodeDriver, uuid: str) -> StorageVolume:
    return StorageVolume(uuid, "x", 1, driver)


# A look that failed settles nothing


@pytest.mark.parametrize("look", ["status=500", "cut-before"])
@pytest.mark.parametrize("status", [307, 404, 408, 413, 429])
@pytest.mark.parametrize("kind", ["node", "volume"])
def test_a_look_that_failed_settles_nothing(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, kind: str, status: int, look: str
) -> None:
    image, size = hasty.list_images()[0], hasty.list_sizes()[0]
    request, listing = (
        ("one.vm.allocate", "one.vmpool.info") if kind == "node" else ("POST /disks/", "GET /disks/")
    )
    sandbox.faults.add(f"{request}:status={status}:carried-out")
    fault = sandbox.faults.add(f"{listing}:{look}")

    with pytest.raises(UnsettledError) as caught:
        hasty.create_node("x", size, image) if kind == "node" else hasty.create_volume(1, "x")
    sandbox.faults.remove(fault.id)
    if kind == "node":
        found = hasty.ex_find_node(caught.value.token)
        assert found is not None
    else:
        assert [volume.extra["identifier"] for volume in hasty.list_volumes()] == [caught.value.token]


def test_whom_the_cloud_does_not_know_has_made_nothing(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("demo", "wrong", host=f"{sandbox.url}/here", timeout=5)
    with pytest.raises(CredentialsError):
        driver.create_volume(1, "x")


# A token of the caller's own


def test_a_node_of_ones_own_token_is_started_once(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = start(driver, ex_token="job-1")
    again = start(driver, ex_token="job-1")

    assert again.id == node.id
    assert again.extra["token"] == "job-1"
    assert sandbox.request_log.operations().count("one.vm.allocate") == 1
    found = driver.ex_find_node("job-1")
    assert found is not None
    assert found.id == node.id


def test_a_node_that_is_done_does_not_count(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    node = start(driver, ex_token="job-1")
    node.destroy()
    sandbox.clock.step(60)
    assert start(driver, ex_token="job-1").id != node.id


def test_two_nodes_of_one_token_are_named(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    document = 'LIBCLOUD_TOKEN = "job-1"\nNAME = "x"\nCPU = "1"\nMEMORY = "64"'
    ids = [
        str(sandbox.location("here").oned.call("one.vm.allocate", [document], "demo")[1]) for _ in range(2)
    ]

    for ask in (lambda: driver.ex_find_node("job-1"), lambda: start(driver, ex_token="job-1")):
        with pytest.raises(DuplicateError, match=" and ".join(ids)) as caught:
            ask()
        assert (caught.value.token, caught.value.ids) == ("job-1", ids)


@pytest.mark.parametrize("kind", ["stratuslab", "opennebula-6.10"])
def test_a_node_that_a_proxy_delivers_twice_is_named_twice(kind: str) -> None:
    """Nothing fails on the way: both answers say that a VM was started."""
    with (
        Sandbox(locations=["here"], cloud=kind, boot_seconds=0) as sandbox,
        in_between(sandbox.url, times=lambda body: 1 + (b"one.vm.allocate" in body)) as url,
    ):
        settings = sandbox.config_file.read_text(encoding="utf-8").replace(sandbox.url, url)
        driver = StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(settings), timeout=10)
        image = driver.list_images()[0]

        with pytest.raises(DuplicateError) as caught:
            driver.create_node("web", "m1.small", image, ex_token="job-1")
        assert caught.value.ids == [node.id for node in driver.list_nodes()]
        assert len(caught.value.ids) == 2
        assert driver.create_node("web", "m1.small", image).state == "running"


@contextmanager
def in_between(
    cloud: str,
    path: Callable[[str], str] = str,
    times: Callable[[bytes], int] = lambda _: 1,
    instead: Callable[[bytes], bytes | None] = lambda _: None,
) -> Iterator[str]:
    """Serve the cloud, asked for another path and so many times; the last answer or another is passed on."""

    @WerkzeugRequest.application
    def pass_on(request: WerkzeugRequest) -> WerkzeugResponse:
        body = request.get_data()
        for _ in range(times(body)):
            answer = requests.request(
                request.method,
                f"{cloud}{path(request.full_path.rstrip('?'))}",
                headers={name: value for name, value in request.headers.items() if name != "Host"},
                data=body,
                timeout=10,
            )
        other = instead(body)
        if other is not None:
            return WerkzeugResponse(other, 201, content_type="application/json")
        return WerkzeugResponse(
            answer.content, answer.status_code, content_type=answer.headers["Content-Type"]
        )

    server = make_server("127.0.0.1", 0, pass_on, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_volume_of_ones_own_token_is_made_once(sandbox: Sandbox, driver: StratusLabNodeDriver) -> None:
    volume = driver.create_volume(1, "data", ex_token="job-1")
    again = driver.create_volume(1, "data", ex_token="job-1")

    assert again.id == volume.id
    assert again.extra["identifier"] == "job-1"
    assert sandbox.request_log.operations().count("POST /disks/") == 1


@pytest.mark.parametrize("token", ["", 7, b"x", "a b\n", "A" * 27])
def test_what_is_no_token_is_refused(sandbox: Sandbox, driver: StratusLabNodeDriver, token: Any) -> None:
    sandbox.request_log.clear()
    with pytest.raises(InvalidArgumentError, match="token"):
        driver.create_volume(1, "data", ex_token=token)
    assert len(sandbox.request_log) == 0


@pytest.mark.parametrize("forgotten", [False, True])
def test_an_older_node_is_not_taken_for_ours(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch, forgotten: bool
) -> None:
    """A proxy gives the answer to an earlier request; the cloud may have forgotten what that one made."""
    image = hasty.list_images()[0]
    old = hasty.create_node("old", hasty.list_sizes()[0], image)
    oned = sandbox.location("here").oned
    if forgotten:
        del oned.state.vms[int(old.id)]
    call = oned.call

    def late(method: str, *arguments: Any) -> Any:
        answer = call(method, *arguments)
        return (True, int(old.id), 0) if method == "one.vm.allocate" else answer

    monkeypatch.setattr(oned, "call", late)
    new = hasty.create_node("new", hasty.list_sizes()[0], image)
    assert new.id != old.id
    assert new.name == "new"


@pytest.mark.parametrize("token", [None, "job-1"])
@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("gone", [False, True])
def test_an_older_volume_is_not_taken_for_ours(
    sandbox: Sandbox, token: str | None, made: bool, gone: bool
) -> None:
    """A proxy gives the answer to an earlier request; ours was carried out, or was not."""
    direct = StratusLabNodeDriver(stratuslab_user_config=sandbox.config_file, timeout=5)
    old = direct.create_volume(1, "old")
    if gone:
        direct.destroy_volume(old)
    late = json.dumps({"uuid": old.id}).encode()

    def answered(body: bytes) -> bytes | None:
        return late if b"tag=new" in body else None

    with in_between(sandbox.url, times=lambda body: made or b"tag=new" not in body, instead=answered) as url:
        settings = sandbox.config_file.read_text(encoding="utf-8").replace(sandbox.url, url)
        driver = StratusLabNodeDriver("default", stratuslab_user_config=io.StringIO(settings), timeout=0.5)
        if made:
            assert driver.create_volume(1, "new", ex_token=token).id != old.id
        else:
            with pytest.raises(UnsettledError):
                driver.create_volume(1, "new", ex_token=token)
    assert len(direct.list_volumes()) == made + (not gone)


@pytest.mark.parametrize("look", ["status=500", "cut-before", "garbage"])
def test_a_volume_that_cannot_be_looked_at_was_made(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, look: str
) -> None:
    sandbox.faults.add(f"GET /disks/UUID:{look}")
    volume = hasty.create_volume(1, "new")
    assert [found.id for found in hasty.list_volumes()] == [volume.id]


def test_an_action_on_another_node_is_not_ours(
    sandbox: Sandbox, hasty: StratusLabNodeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = start(hasty)
    oned = sandbox.location("here").oned
    call = oned.call
    monkeypatch.setattr(
        oned,
        "call",
        lambda method, *rest: (True, 77, 0) if method == "one.vm.action" else call(method, *rest),
    )
    with pytest.raises(MalformedAnswerError, match=f"not about VM {node.id}"):
        hasty.destroy_node(node)


# What could not even be prepared was not sent


@pytest.mark.parametrize(
    "error", [requests.exceptions.InvalidHeader, requests.exceptions.ContentDecodingError]
)
@pytest.mark.parametrize("kind", ["node", "volume"])
def test_a_request_that_could_not_be_made_was_not_sent(
    sandbox: Sandbox,
    hasty: StratusLabNodeDriver,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    error: type[Exception],
) -> None:
    image, size = hasty.list_images()[0], hasty.list_sizes()[0]
    sandbox.request_log.clear()

    def refuse(*_: Any, **__: Any) -> None:
        raise error("a header of another type")

    monkeypatch.setattr(requests.Session, "prepare_request", refuse)
    with pytest.raises(UnreachableError, match="could not be made"):
        hasty.create_node("x", size, image) if kind == "node" else hasty.create_volume(1, "x")
    assert len(sandbox.request_log) == 0


def test_a_deletion_that_is_late_and_then_repeated_is_a_deletion(
    sandbox: Sandbox, hasty: StratusLabNodeDriver
) -> None:
    volume = hasty.create_volume(1, "data")
    hasty.list_volumes()
    sandbox.faults.add("DELETE /disks/UUID:nth=1:delay=1:carried-out")

    assert hasty.destroy_volume(volume)
