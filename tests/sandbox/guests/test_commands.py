from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sandbox.guests.conftest import Machines, eventually, run

if TYPE_CHECKING:
    import pytest

REST = "sleep 1000"


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it went before the file was opened, or read
        return False


def test_output_error_and_status(machines: Machines) -> None:
    result = machines.run(machines.start(), "echo out; echo err >&2; exit 3")
    assert result == ("out\n", "err\n", 3)


def test_command_in_the_shell_of_the_user(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/echo")
    assert machines.run(machines.start(), "hello; there").out == "-c hello; there\n"


def test_shell_which_is_not_there(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/no/such/shell")
    vm_id = machines.start()
    assert machines.run(vm_id, "true") == ("", "/no/such/shell: No such file or directory\n", 126)


def test_input_reaches_the_command(machines: Machines) -> None:
    assert machines.run(machines.start(), "tr a-z A-Z", "abc" * 700_000).out == "ABC" * 700_000


def test_command_which_does_not_want_the_input(machines: Machines) -> None:
    client = machines.connect(machines.start())
    assert run(client, "head -c 3; exit 5", "abc" * 700_000) == ("abc", "", 5)
    assert run(client, "echo still here").out == "still here\n"


def test_error_after_the_end_of_output(machines: Machines) -> None:
    assert machines.run(machines.start(), "exec 1>&-; sleep 0.1; echo late >&2; exit 4") == ("", "late\n", 4)


def test_command_which_a_signal_ends(machines: Machines) -> None:
    client = machines.connect(machines.start())
    assert run(client, "kill -TERM $$").status == -1
    assert run(client, "sh -c 'kill -TERM $$'; echo $?").out == f"{128 + signal.SIGTERM}\n"


def test_many_commands_at_a_time(machines: Machines) -> None:
    client = machines.connect(machines.start())
    names = [f"fifo-{number}" for number in range(8)]
    run(client, f"mkfifo {' '.join(names)}")
    readers = [client.exec_command(f"cat {name}") for name in names]
    for name in reversed(names):
        run(client, f"echo {name} > {name}")
    assert [out.read().decode().strip() for _, out, _ in readers] == names


def test_folder_of_the_machine(machines: Machines) -> None:
    first, second = machines.start(), machines.start()
    home = machines.run(first, "pwd").out.strip()
    assert machines.run(first, 'echo "$HOME"; echo mine > file; ls').out == f"{home}\nfile\n"
    assert machines.run(second, "ls").out == ""
    assert machines.run(second, "pwd").out.strip() != home
    assert (Path(home) / "file").read_text() == "mine\n"


def test_environment_has_no_more_than_it_needs(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET", "STRATUSLAB_CONFIG", "SSH_AUTH_SOCK", "PYTHONPATH"):
        monkeypatch.setenv(name, "of the user")
    monkeypatch.setenv("LANG", "C.UTF-8")
    names = {line.partition("=")[0] for line in machines.run(machines.start(), "env").out.splitlines()}
    assert {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER"} <= names
    assert names - {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TZ", "USER"} <= {
        "OLDPWD",
        "PWD",
        "SHLVL",
        "_",
    }


def test_shell_without_a_terminal(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    channel = machines.connect(machines.start()).invoke_shell()
    channel.settimeout(20)
    with channel:
        channel.sendall(b"tty; exit 7\n")
        output = b"".join(iter(lambda: channel.recv(65536), b"")).decode()
        assert channel.recv_exit_status() == 7
    assert "not a tty" in output


def test_what_is_in_the_background_lives_as_long_as_the_machine(machines: Machines) -> None:
    vm_id = machines.start()
    leader, pid = machines.run(vm_id, f"nohup {REST} >/dev/null 2>&1 & echo $$ $!").out.split()
    eventually(lambda: not Path(f"/proc/{leader}").exists())
    assert machines.run(vm_id, f"kill -0 {pid}").status == 0
    machines.call("one.vm.action", "finalize", vm_id)
    eventually(lambda: not is_running(pid))


def test_a_number_that_a_stranger_has_now_is_spared(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm_id = machines.start()
    _, pid = machines.run(vm_id, f"nohup {REST} >/dev/null 2>&1 & echo $$ $!").out.split()
    monkeypatch.setattr("stratuslab.sandbox.guests.commands.os.getpgid", lambda _: 1)
    machines.sandbox.stop()
    assert is_running(pid)
    os.kill(int(pid), signal.SIGKILL)


def test_nothing_is_left_of_commands_that_have_ended(machines: Machines) -> None:
    client = machines.connect(machines.start())
    pids = [run(client, "echo $$").out.strip() for _ in range(5)]
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_end_of_the_machine_ends_commands_and_connections(machines: Machines) -> None:
    vm_id = machines.start()
    client = machines.connect(vm_id)
    _, out, _ = client.exec_command(f"echo $$; exec {REST}")
    pid = out.readline().strip()
    machines.call("one.vm.action", "finalize", vm_id)
    assert out.read() == b""
    eventually(lambda: not is_running(pid))
    transport = client.get_transport()
    eventually(lambda: not (transport and transport.is_active()))
    assert not machines.is_answering(vm_id)


def test_command_which_the_user_may_not_kill(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With sudo, say. Everything else ends, and nobody waits for it."""
    client = machines.connect(machines.start())
    pids = [client.exec_command(f"{REST} & echo $!; wait")[1].readline().strip() for _ in range(3)]

    def forbidden(group: int, number: int) -> None:
        if group == os.getpgid(int(pids[1])):
            raise PermissionError
        os_killpg(group, number)

    os_killpg = os.killpg
    monkeypatch.setattr("stratuslab.sandbox.guests.commands.os.killpg", forbidden)
    monkeypatch.setattr("stratuslab.sandbox.guests.commands._GRACE_SECONDS", 0.3)
    machines.sandbox.stop()
    assert [is_running(pid) for pid in pids] == [False, True, False]
    assert f"outlive their machine: group {os.getpgid(int(pids[1]))}" in caplog.text
    os_killpg(os.getpgid(int(pids[1])), signal.SIGKILL)


def test_end_of_the_sandbox_ends_everything(machines: Machines) -> None:
    before = threading.active_count()
    files_before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    vm_ids = [machines.start() for _ in range(3)]
    with machines.connections:
        starts = [machines.connect(vm_id).exec_command(f"echo $$; pwd; {REST}") for vm_id in vm_ids]
        facts = [(out.readline().strip(), out.readline().strip()) for _, out, _ in starts]
        machines.sandbox.stop()
        assert [out.read() for _, out, _ in starts] == [b""] * 3
    assert not any(is_running(pid) or Path(home).exists() for pid, home in facts)
    assert threading.active_count() < before
    assert len(os.listdir("/proc/self/fd")) < files_before  # noqa: PTH208
