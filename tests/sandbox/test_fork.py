"""A process that is forked while a sandbox runs: the sandbox stays its parent's."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

BEGINNING = r"""
import gc, os, socket, ssl, sys, threading, urllib.request
from pathlib import Path
from urllib.parse import urlsplit
from stratuslab.sandbox import Sandbox

def answers(url):
    with urllib.request.urlopen(url + "/_sandbox/state", timeout=10) as answer:
        return answer.status == 200

def open_sockets():
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    names = {int(link.name): os.readlink(link) for link in links if link.is_symlink()}
    return {name for number, name in names.items() if "socket:" in name and is_of_the_internet(number)}

def is_of_the_internet(number):
    with socket.socket(fileno=os.dup(number)) as copy:
        return copy.family == socket.AF_INET

def ssh_to_a_machine(sandbox):
    template = 'CPU = 1\nMEMORY = 64\nNIC = [ NETWORK = "public", NETWORK_UNAME = "oneadmin" ]'
    assert sandbox.location("sandbox").oned.call("one.vm.allocate", (template,), "demo")[0]
    for _ in range(1000):
        try:
            return socket.create_connection(("127.86.0.1", sandbox.ssh_port), timeout=5)
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
    raise AssertionError("no machine answers")

def nobody_answers(places):
    for place in places:
        try:
            socket.create_connection(place, timeout=5)
        except ConnectionRefusedError:
            continue
        raise AssertionError("somebody answers")

def child(action):
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    return pid

def ended_well(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
SANDBOXES = {
    "plain": "",
    "tls": "tls=True",
    "ssh": "ssh=True, boot_seconds=0",
    "state": "state_file=Path('state.db')",
}


def run(folder: Path, script: str) -> None:
    """Run the script in a process of its own, which must end with status 0 and write nothing."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGINNING + textwrap.dedent(script)],
        cwd=folder,
        env={"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("options", SANDBOXES.values(), ids=SANDBOXES)
def test_a_child_has_none_of_the_sockets(tmp_path: Path, options: str) -> None:
    run(
        tmp_path,
        f"""
        with Sandbox({options}) as sandbox:
            address = urlsplit(sandbox.url)
            with socket.create_connection((address.hostname, address.port)) as client:
                if {"tls" in options}:
                    client = ssl._create_unverified_context().wrap_socket(client)
                client.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
                client.recv(1)
                mine = [client]
                if {"ssh" in options}:
                    mine.append(ssh_to_a_machine(sandbox))
                    mine[-1].recv(1)
                names = {{os.readlink(f"/proc/self/fd/{{one.fileno()}}") for one in mine}}
                assert len(open_sockets()) > len(mine)

                def look():
                    assert open_sockets() == names

                ended_well(child(look))
        """,
    )


@pytest.mark.parametrize("options", SANDBOXES.values(), ids=SANDBOXES)
def test_nobody_answers_when_the_parent_has_stopped(tmp_path: Path, options: str) -> None:
    run(
        tmp_path,
        f"""
        sandbox = Sandbox({options})
        sandbox.start()
        address = urlsplit(sandbox.url)
        places = [(address.hostname, address.port)]
        if {"ssh" in options}:
            places.append(ssh_to_a_machine(sandbox).getpeername())
        reader, writer = os.pipe()

        def wait():
            os.close(writer)
            os.read(reader, 1)

        pid = child(wait)
        sandbox.stop()
        nobody_answers(places)
        sandbox.start()
        sandbox.stop()
        os.close(writer)
        ended_well(pid)
        """,
    )


@pytest.mark.parametrize("options", SANDBOXES.values(), ids=SANDBOXES)
def test_nobody_answers_where_a_child_was_slow_to_let_go(tmp_path: Path, options: str) -> None:
    """A child lets go of the sockets when it first runs, which may be after its parent has stopped."""
    run(
        tmp_path,
        f"""
        sandbox = Sandbox({options})
        sandbox.start()
        if {"ssh" in options}:
            ssh_to_a_machine(sandbox).close()
        held = [
            socket.socket(fileno=os.dup(int(name)))
            for name in os.listdir("/proc/self/fd")
            if Path("/proc/self/fd", name).is_socket() and is_of_the_internet(int(name))
        ]
        listening = [one for one in held if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)]
        places = {{one.getsockname() for one in listening}}
        assert len(places) == {2 if "ssh" in options else 1}
        sandbox.stop()
        nobody_answers(places)
        """,
    )


@pytest.mark.parametrize("options", SANDBOXES.values(), ids=SANDBOXES)
def test_no_end_of_a_child_ends_the_sandbox(tmp_path: Path, options: str) -> None:
    run(
        tmp_path,
        f"""
        import xmlrpc.client

        sandbox = Sandbox({options})
        sandbox.start()
        context = ssl._create_unverified_context()
        session = "demo:" + sandbox._users["demo"]

        def oned():
            if sandbox.url.startswith("https"):
                return xmlrpc.client.ServerProxy(sandbox.url + "/sandbox/RPC2", context=context)
            return xmlrpc.client.ServerProxy(sandbox.url + "/sandbox/RPC2")

        def allocate(vm_id):
            with oned() as cloud:
                assert cloud.one.vm.allocate(session, f"NAME = vm-{{vm_id}}")[:2] == [True, vm_id]

        allocate(0)
        folder = sandbox.config_file.parent
        files = {{*folder.rglob("*")}}
        endings = [
            "sys.exit()",
            "sandbox.stop()",
            "sandbox.stop(); sys.exit()",
            "sandbox.__exit__(None, None, None)",
            "del sandbox; gc.collect(); sys.exit()",
            "ended_well(child(sandbox.stop)); sys.exit()",
        ]
        for number, ending in enumerate(endings, 1):
            pid = os.fork()
            if pid == 0:
                exec(ending)
                os._exit(0)
            ended_well(pid)
            assert {{*folder.rglob("*")}} >= files
            allocate(number)
        sandbox.stop()
        assert not folder.exists()
        if Path("state.db").exists():
            with Sandbox({options}) as again:
                assert len(again.location("sandbox").oned.state.vms) == 1 + len(endings)
        """,
    )


def test_a_child_is_a_client_like_others(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        with Sandbox() as sandbox:
            def visit():
                assert answers(sandbox.url)
                assert sandbox.config_file.exists()
                sandbox.stop()
                try:
                    sandbox.start()
                except RuntimeError as error:
                    assert "another process" in str(error)
                else:
                    raise AssertionError("it was started")
                with Sandbox() as own:
                    assert answers(own.url)
                    assert own.url != url

            url = sandbox.url
            ended_well(child(visit))
            assert answers(sandbox.url)
        """,
    )


def test_forks_amid_requests(tmp_path: Path) -> None:
    """Whatever lock the requests hold at that moment, no child waits for it."""
    run(
        tmp_path,
        """
        with Sandbox(state_file=Path("state.db")) as sandbox:
            done = threading.Event()

            def ask():
                while not done.is_set():
                    assert answers(sandbox.url)

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            pids = [child(sandbox.stop) for _ in range(25)]
            for pid in pids:
                ended_well(pid)
            done.set()
            for thread in threads:
                thread.join()
            assert answers(sandbox.url)
        """,
    )
