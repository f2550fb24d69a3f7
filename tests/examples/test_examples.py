from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(example: str, sandbox: Sandbox, *arguments: str, **more: str) -> str:
    environment = {"STRATUSLAB_CONFIG": str(sandbox.config_file), "PYTHONPATH": str(EXAMPLES.parent), **more}
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


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
    with Sandbox(boot_seconds=0.05) as sandbox:
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


def test_two_computing_elements_of_one_file_leave_each_other_alone() -> None:
    """The worker here has the id, and the beginning of the name, of the one that the element there makes."""
    with Sandbox(locations=["here", "there"], boot_seconds=0.05) as sandbox:
        driver = StratusLabNodeDriver("unused", stratuslab_user_config=sandbox.config_file)
        other = driver.create_node("worker-of-here", "m1.small", driver.list_images()[0], "here")
        output = run("computing_element.py", sandbox, "there")
        left = [(node.id, node.location.id) for node in driver.list_nodes()]

    assert other.id == "0"
    assert output.splitlines()[0] == "submitted: vm://0"
    assert output.splitlines()[3:5] == ["cleaned:   1", "status:    done"]
    assert left == [("0", "here")]


def test_a_day_with_opennebula_leaves_nothing() -> None:
    with Sandbox(cloud="opennebula-6.10", boot_seconds=0.2, ssh=True) as sandbox:
        output = run("opennebula.py", sandbox, STRATUSLAB_SANDBOX_SSH_PORT=str(sandbox.ssh_port))

    assert output.splitlines()[1:] == [
        "node:       day is running",
        "attached:   data of the day as sdc",
        "written:    0",
        "saved:      image of the day is READY",
        "left:       0 nodes, 0 volumes",
    ]


def test_every_example_is_run_by_a_test() -> None:
    tests = Path(__file__).read_text("utf-8")

    assert [file.name for file in EXAMPLES.glob("*.py") if f'run("{file.name}"' not in tests] == []
