from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import requests

from stratuslab.sandbox.cli import main
from tests.sandbox.command import COMMAND, run, run_python, run_without, served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SHOW = "import os; print(open(os.environ['STRATUSLAB_CONFIG']).read())"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make sure that no run of the command leaves a temporary file."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    yield directory
    assert [*directory.iterdir()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_until_a_signal(number: int) -> None:
    with serving("--locations", "paris,lyon", "--boot-seconds", "0") as (process, place):
        assert [*place] == ["config", "locations", "control", "web_page"]
        assert [*place["locations"]] == ["paris", "lyon"]
        assert [*place["locations"]["lyon"]] == ["endpoint", "pdisk_endpoint", "marketplace_endpoint"]
        answer = requests.get(
            place["locations"]["lyon"]["pdisk_endpoint"] + "/pswd/disks/",
            auth=("guest", "guest-pass"),
            headers={"Accept": "application/json"},
            timeout=10,
        )
        assert answer.json() == []
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stdout
        assert process.stdout.read() == ""
        assert process.stderr
        assert process.stderr.read() == ""


def test_serve_writes_the_configuration_where_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "stratuslab-user.cfg"
    with served("--config-out", str(path), "--user", "jane:a:b%") as place:
        assert place["config"] == str(path)
        assert "username = jane\npassword = a:b%%\n" in path.read_text()
    assert not path.exists()


def test_serve_never_overwrites_a_file(tmp_path: Path) -> None:
    path = tmp_path / "precious.cfg"
    path.write_text("mine")
    ended = run("serve", "--config-out", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "File exists" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert path.read_text() == "mine"


def test_serve_on_a_port_in_use() -> None:
    with served() as place:
        port = place["locations"]["sandbox"]["endpoint"].split(":")[2].split("/")[0]
        ended = run("serve", "--port", port)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"stratuslab-sandbox: port {port} of 127.0.0.1 cannot be taken: Address already in use;"
        " give another port, or 0 for a free one\n"
    )


def test_serve_with_faults() -> None:
    rules = ["POST /disks/:nth=2:cut-after", "*@sandbox:delay=0"]
    with served(*(part for rule in rules for part in ("--fault", rule))) as place:
        faults = requests.get(f"{place['control']}faults", timeout=10).json()
    assert [fault["rule"] for fault in faults] == [rules[0], "*@sandbox:delay=0.0"]


def test_serve_another_kind_of_cloud() -> None:
    with served("--cloud", "opennebula-7.4", "--locations", "paris,lyon:stratuslab") as place:
        assert place["locations"]["paris"].keys() == {"endpoint"}
        assert place["locations"]["lyon"].keys() > {"endpoint"}


def test_exec_gives_the_command_its_cloud() -> None:
    ended = run_python(SHOW, "--locations", "paris", "--user", "jane:secret-word", "--user", "joe:x")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "selected_section = paris\nusername = jane\npassword = secret-word\n" in ended.stdout


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exec_ends_with_the_status_of_the_command(status: int) -> None:
    assert run_python(f"raise SystemExit({status})").returncode == status


def test_exec_tells_which_signal_ended_the_command() -> None:
    assert run_python("import os; os.kill(os.getpid(), 9)").returncode == 128 + 9


def test_command_under_exec_has_its_faults_and_its_control() -> None:
    code = (
        "import json, os, urllib.request\n"
        "control = os.environ['STRATUSLAB_SANDBOX_CONTROL']\n"
        "print(json.load(urllib.request.urlopen(control + 'faults'))[0]['rule'])\n"
    )
    ended = run_python(code, "--fault", "one.vm.info:cut-at=7")
    assert (ended.stderr, ended.stdout) == ("", "one.vm.info:cut-at=7\n")


def test_exec_of_no_command(tmp_path: Path) -> None:
    ended = run("exec", "--", "no-such-command")
    assert ended.returncode == 127
    assert ended.stderr == "stratuslab-sandbox: no-such-command: command not found\n"
    ended = run("exec", "--", str(tmp_path))
    assert ended.returncode == 126
    assert ended.stderr == f"stratuslab-sandbox: {tmp_path}: Permission denied\n"


def test_arguments_of_the_command_are_its_own() -> None:
    code = "import sys; print(sys.argv[1:])"
    ended = run("exec", "--", sys.executable, "-c", code, "--port", "x", "--", "-h")
    assert ended.stdout == "['--port', 'x', '--', '-h']\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 5), (signal.SIGINT, 6)])
def test_exec_hands_signals_on(number: int, status: int) -> None:
    """SIGTERM comes to the command through its parent, SIGINT from the terminal, which tells them both."""
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(6))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()\n"
    )
    command = [*COMMAND, "exec", "--", sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            if number == signal.SIGINT:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            assert process.wait(10) == status
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "usage: stratuslab-sandbox"),
        ("dance", "usage: stratuslab-sandbox"),
        ("serve -- true", "usage: stratuslab-sandbox"),
        ("serve --prot 1", "unknown arguments: --prot 1"),
        ("exec", "usage: stratuslab-sandbox"),
        ("exec --", "usage: stratuslab-sandbox"),
        ("exec ls -l", "-- goes before the command; give: stratuslab-sandbox exec -- ls -l\n"),
        ("exec ls 'a b'", "-- goes before the command; give: stratuslab-sandbox exec -- ls 'a b'\n"),
        (
            "exec --port 0 ls --color",
            "-- goes before the command; give: stratuslab-sandbox exec -- ls --color\n",
        ),
        ("serve --locations a,a", "usage: stratuslab-sandbox"),
        ("serve --locations ''", "usage: stratuslab-sandbox"),
        ("serve --user secret-word", "usage: stratuslab-sandbox"),
        ("serve --user :secret-word", "usage: stratuslab-sandbox"),
        ("serve --boot-seconds x", "usage: stratuslab-sandbox"),
        ("serve --boot-seconds -1", "usage: stratuslab-sandbox"),
        ("serve --port=-1", "port is -1; give a number from 1 to 65535, or 0 for a free port"),
        ("serve --port=65536", "port is 65536; give a number from 1 to 65535, or 0 for a free port"),
        ("serve --ssh --ssh-port=-1", "ssh_port is -1; give a number from 1 to 65535, or 0"),
        ("serve --ssh --ssh-port=65536", "ssh_port is 65536; give a number from 1 to 65535, or 0"),
        ("serve --hosts 0", "host"),
        ("serve --hosts many", "host"),
        ("serve --host-capacity 2", "host"),
        ("serve --host-capacity 2:", "host"),
        ("serve --host-capacity -1:512", "host"),
        ("serve --host-capacity 1:0.5", "host"),
        ("serve --fault one.vm.info:nht=2:garbage", "there is no setting 'nht'"),
        (
            "serve --fault one.vm.alocate:garbage",
            "there is no operation 'one.vm.alocate'; the nearest is 'one.vm.allocate'",
        ),
        ("serve --fault one.vm.info@nowhere:garbage", "location nowhere, which does not exist"),
        ("serve --tls --certificate Jane", "'Jane' is no distinguished name"),
    ],
)
def test_wrong_arguments(arguments: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(arguments))
    output, errors = capsys.readouterr()
    assert (ended.value.code, output) == (2, "")
    assert errors.startswith("usage: stratuslab-sandbox")
    assert reason in (errors if "usage" in reason else errors.partition("error: ")[2])
    assert "secret-word" not in errors


def test_wrong_arguments_of_the_process() -> None:
    ended = run("serve", "--prot", "1")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("error: unknown arguments: --prot 1\n")


def test_version() -> None:
    ended = run("--version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"stratuslab-sandbox {version('stratuslab-libcloud-drivers')}\n"


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[str]]]:
    """Serve with a terminal for output; yield the process and the lines that it writes."""
    controller, terminal = os.openpty()
    with (
        os.fdopen(controller, "rb", buffering=0) as output,
        subprocess.Popen([*COMMAND, "serve", *arguments], stdout=terminal) as process,
    ):
        os.close(terminal)
        try:
            yield process, (line.decode().strip() for line in output)
        finally:
            process.terminate()
            assert process.wait(10) == 0


@pytest.mark.parametrize("cloud", ["stratuslab", "opennebula-6.10"])
def test_serve_on_a_terminal_shows_how_to_use_it(cloud: str) -> None:
    with on_a_terminal("--cloud", cloud, "--locations", "paris,lyon") as (_, lines):
        shown = [next(lines)]
        while "Ctrl-C" not in shown[-1]:
            shown.append(next(lines))
        assert shown[0] == "Ready: paris, lyon"
        page = next(line.split()[-1] for line in shown if line.startswith("Look inside"))
        assert requests.get(page, timeout=10).status_code == 200
        export, python = shown[-4:-2]
        if cloud != "stratuslab":
            assert "import OpenNebulaNodeDriver;" in python
            return
        bash = f"{export}\n{python.replace('python3', shlex.quote(sys.executable))}"
        done = subprocess.run(["bash", "-c", bash], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Image" in done.stdout


def test_serve_on_a_terminal_names_the_port_of_its_machines() -> None:
    with on_a_terminal("--ssh") as (_, lines):
        export = next(line for line in lines if line.startswith("export "))
        shown = dict(assignment.split("=") for assignment in export.split()[1:])
    assert shown.keys() == {"STRATUSLAB_CONFIG", "STRATUSLAB_SANDBOX_SSH_PORT"}
    assert int(shown["STRATUSLAB_SANDBOX_SSH_PORT"]) > 0


def test_serve_writes_json_on_a_terminal_if_told_to() -> None:
    with on_a_terminal("--json") as (_, lines):
        assert json.loads(next(lines)).keys() == {"config", "locations", "control", "web_page"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--help", ""),
        ("exec -h", "A fault RULE is OPERATION[@LOCATION][:WHEN]:WHAT"),
        ("serve --help", "A fault RULE is OPERATION[@LOCATION][:WHEN]:WHAT"),
        ("serve --help", "BUT AS YOU"),
    ],
)
def test_help(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    output, errors = capsys.readouterr()
    assert (ended.value.code, errors) == (0, "")
    assert output.startswith("usage: stratuslab-sandbox")
    assert text in " ".join(output.split())


@pytest.mark.parametrize(
    ("package", "option"), [("werkzeug", "--json"), ("asyncssh", "--ssh"), ("cryptography", "--tls")]
)
def test_without_a_package_the_command_says_what_to_install(package: str, option: str) -> None:
    ended = run_without(package, "serve", option)
    assert ended.returncode == 1
    assert ended.stderr == "stratuslab-sandbox: please install stratuslab-libcloud-drivers[sandbox]\n"
    if package != "werkzeug":
        ended = run_without(package, "exec", "--", "true")
        assert (ended.returncode, ended.stderr) == (0, "")
