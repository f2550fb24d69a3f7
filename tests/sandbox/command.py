"""The command stratuslab-sandbox, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "stratuslab.sandbox"]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "stratuslab.sandbox", *arguments)


def run_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Python under `exec`."""
    return run("exec", *options, "--", sys.executable, "-c", code)


def run_without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where a package is not installed."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {package!r}:\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from stratuslab.sandbox.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    return python("-c", code, *arguments)


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Serve; yield the process, which is killed in the end, and the JSON that it has written."""
    with subprocess.Popen(
        [*COMMAND, "serve", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def served(*arguments: str) -> Iterator[dict[str, Any]]:
    """Serve; yield the JSON, and make sure that the process ends well when it is told to end."""
    with serving(*arguments) as (process, place):
        yield place
        process.terminate()
        assert process.wait(10) == 0
