from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest

SANDBOX = [sys.executable, "-m", "stratuslab.sandbox"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SANDBOX, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_serve_with_faults() -> None:
    rules = ["POST /disks/:nth=2:cut-after", "*@sandbox:delay=0"]
    command = [*SANDBOX, "serve", *(part for rule in rules for part in ("--fault", rule))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            control = json.loads(process.stdout.readline())["control"]
            with urllib.request.urlopen(f"{control}faults", timeout=10) as answer:
                faults = json.load(answer)
            assert [fault["rule"] for fault in faults] == [rules[0], "*@sandbox:delay=0.0"]
        finally:
            process.terminate()
            assert process.wait(10) == 0


def test_command_under_exec_has_its_faults_and_its_control() -> None:
    code = (
        "import json, os, urllib.request\n"
        "control = os.environ['STRATUSLAB_SANDBOX_CONTROL']\n"
        "print(json.load(urllib.request.urlopen(control + 'faults'))[0]['rule'])\n"
    )
    ended = run("exec", "--fault", "one.vm.info:cut-at=7", "--", sys.executable, "-c", code)
    assert (ended.stderr, ended.stdout) == ("", "one.vm.info:cut-at=7\n")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("one.vm.info:nht=2:garbage", "there is no setting 'nht'"),
        (
            "one.vm.alocate:garbage",
            "there is no operation 'one.vm.alocate'; the nearest is 'one.vm.allocate'",
        ),
        ("one.vm.info@nowhere:garbage", "location nowhere, which does not exist"),
    ],
)
def test_wrong_rule(rule: str, reason: str) -> None:
    ended = run("serve", "--fault", rule)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("action", ["serve", "exec"])
def test_help_explains_the_rules(action: str) -> None:
    ended = run(action, "--help")
    assert "A fault RULE is OPERATION[@LOCATION][:WHEN]:WHAT" in ended.stdout
