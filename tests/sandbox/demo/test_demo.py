from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

DEMO = [sys.executable, "-m", "stratuslab.sandbox", "demo"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def run(temporary: Path, *options: str, **variables: str) -> str:
    """Run the demonstration; return what it printed, without line breaks and with single spaces."""
    environment = {**os.environ, "TMPDIR": str(temporary), **variables}
    done = subprocess.run(
        [*DEMO, *options], env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [*temporary.iterdir()] == []
    return " ".join(done.stdout.split())


def test_it_tells_the_whole_life(temporary: Path) -> None:
    told = run(temporary, "--boot-seconds", "1")
    steps = [
        "m1.small",
        "ttylinux 14.1",
        "s: RUNNING",
        "198.18.0.1",
        '"demo data"',
        '"target": "vdz"',
        "s: DONE",
    ]
    places = [told.index(step) for step in [*steps, "'<VM_POOL></VM_POOL>'", "< []"]]
    assert places == sorted(places)
    states = re.findall(r"after [0-9.]+ s: (\w+)", told)
    way = ["PENDING", "PROLOG", "BOOT", "RUNNING", "CLEANUP", "DONE"]
    assert states == [state for state in way if state in states]


def test_it_shows_every_call(temporary: Path) -> None:
    told = run(temporary, "--boot-seconds", "0")
    calls = re.findall(r"> (GET|POST|DELETE) http://127\.0\.0\.1:\d+/sandbox/(\S+)", told)
    uuid = "[0-9a-f-]{36}"
    assert [f"{method} {re.sub(uuid, 'UUID', path)}" for method, path in calls] == [
        "GET marketplace/metadata",
        "POST one-proxy/pswd/xmlrpc",
        "POST one-proxy/pswd/xmlrpc",
        "POST pdisk/pswd/disks/",
        "GET pdisk/pswd/disks/",
        "POST pdisk/pswd/disks/UUID/mounts/",
        "DELETE pdisk/pswd/disks/UUID/mounts/UUID_0",
        "POST one-proxy/pswd/xmlrpc",
        "DELETE pdisk/pswd/disks/UUID",
        "POST one-proxy/pswd/xmlrpc",
        "GET pdisk/pswd/disks/",
    ]
    assert re.findall(r"one\.\w+\.\w+\('any'", told) == [
        "one.vm.allocate('any'",
        "one.vm.info('any'",
        "one.vm.action('any'",
        "one.vmpool.info('any'",
    ]


def test_it_shows_no_password(temporary: Path) -> None:
    assert "demo-pass" not in run(temporary, "--boot-seconds", "0")


def test_a_terminal_without_unicode_is_no_hindrance(temporary: Path) -> None:
    assert "Syst?me" in run(temporary, "--boot-seconds", "0", PYTHONIOENCODING="ascii:strict", PYTHONUTF8="0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped(number: int, temporary: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--boot-seconds", "3600"],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stderr
            while "PENDING" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(number)
            assert process.wait(20) == 128 + number
            assert process.stderr.read() == ""
        finally:
            process.kill()
    assert [*temporary.iterdir()] == []


def test_it_speaks_with_the_standard_library_alone() -> None:
    code = (
        "import sys\n"
        "import stratuslab.sandbox.demo\n"
        "print({name.split('.')[0] for name in sys.modules} & {'libcloud', 'requests', 'werkzeug'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "set()\n"
