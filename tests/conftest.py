from __future__ import annotations

import base64
import fcntl
import gc
import io
import logging
import os
import shutil
import subprocess
import sysconfig
from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import StratusLabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGINS = ("demo:demo-pass", "guest:guest-pass")
SECRETS = [
    secret
    for login in LOGINS
    for secret in (login.partition(":")[2], base64.b64encode(login.encode()).decode())
]
"""The sandbox's passwords, and the headers that hold them."""


# The tests, which are collected by the thousand, stay until the end: the garbage collector need not see them.
gc.disable()


def pytest_configure() -> None:
    """Keep each worker on one processor: its threads take turns, and to wake one on another takes longer."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None and hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(worker.removeprefix("gw")) % len(processors)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left with it at the end."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    slow = item.get_closest_marker("slow")
    return 0.0 if slow is None else float(slow.kwargs.get("seconds", 1))


def pytest_collection_finish() -> None:
    """Let the garbage collector begin with what the tests make."""
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """Let two workers share each processor with ``-n auto``: for a third of the time, tests wait."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the developer's own configuration, keys, debugging and proxies out of the tests."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for variable in ("STRATUSLAB_CONFIG", "LIBCLOUD_DEBUG", "LIBCLOUD_RETRY_FAILED_HTTP_REQUESTS"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    return home


@pytest.fixture(autouse=True)
def _no_password_is_shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Scan what every test logs and every error of ours for the passwords that were used."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    raised: list[StratusLabError] = []
    make = StratusLabError.__init__

    def record(error: StratusLabError, *arguments: Any, **named: Any) -> None:
        make(error, *arguments, **named)
        raised.append(error)

    monkeypatch.setattr(StratusLabError, "__init__", record)
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    shown = logged.getvalue() + "".join(f"{error} {error!r} {error.__cause__!r}" for error in raised)
    assert [secret for secret in SECRETS if secret in shown] == []


def _folder_of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all workers; the others wait for the one that makes it."""
    base = _folder_of_all_workers(tmp_path_factory)

    def made_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, is_made = base / name, base / f"{name}.made"
        with base.joinpath(f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                is_made.touch()
        return folder

    return made_once


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes that tests start compile each module once, in a folder of all workers."""
    folder = _folder_of_all_workers(tmp_path_factory) / "bytecode"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(folder))
        yield


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return variables under which `python3` and our scripts are those of this interpreter."""
    private = {"CI", "PYTHONHOME", "PYTHONPATH", "STRATUSLAB_CONFIG", "VIRTUAL_ENV"}
    return {
        **{name: value for name, value in os.environ.items() if name not in private},
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "PIP_CACHE_DIR": str(tmp_path_factory.mktemp("pip")),
        "PIP_NO_COMPILE": "0",  # pip takes "no" for "do not": it compiles nothing that no test runs.
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Callable[..., str]:
    """Run a command in a folder; return what it printed. If it fails, so does the test."""

    def run(
        *command: str | Path,
        cwd: Path,
        status: int = 0,
        **variables: str,
    ) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == status, f"{command} ended {done.returncode}:\n{done.stdout}"
        return done.stdout

    return run
