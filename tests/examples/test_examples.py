from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stratuslab.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(example: str, sandbox: Sandbox) -> str:
    environment = {"STRATUSLAB_CONFIG": str(sandbox.config_file), "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, EXAMPLES / example], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_lifecycle_shows_the_way_of_a_node_from_pending_to_gone() -> None:
    with Sandbox(boot_seconds=0.5) as sandbox:
        output = run("lifecycle.py", sandbox)

    assert re.search(r"^sizes: .*m1.small", output, re.MULTILINE)
    assert re.search(r"^images: .*ttylinux", output, re.MULTILINE)
    states = re.findall(r"^state: +(\w+)", output, re.MULTILINE)
    assert states[0] == "pending"
    assert "running" in states
    assert states[-1] == "terminated"
    assert output.endswith("nodes:      none\n")


def test_a_computing_element_keeps_its_workers() -> None:
    with Sandbox(boot_seconds=0.2) as sandbox:
        output = run("computing_element.py", sandbox)
        operations = set(sandbox.request_log.operations())

    assert output.splitlines() == [
        "submitted: vm://0",
        "status:    running",
        "too old:   []",
        "cleaned:   1",
        "status:    done",
        "unknown:   done",
    ]
    assert operations >= {
        "GET /metadata",
        "one.vm.allocate",
        "one.vm.info",
        "one.vmpool.info",
        "one.vm.action",
    }


def test_every_example_is_run_by_a_test() -> None:
    tests = Path(__file__).read_text("utf-8")

    assert [file.name for file in EXAMPLES.glob("*.py") if f'run("{file.name}"' not in tests] == []
