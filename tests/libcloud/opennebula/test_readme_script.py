"""The script of the first release's README runs, word for word, on every kind of cloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

README = Path(__file__).parents[3].joinpath("README.md").read_text(encoding="utf-8")


def script() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    found: str
    [found] = [block for block in blocks if "list_sizes().pop()" in block]
    return found


@pytest.mark.parametrize("cloud", ["stratuslab", "opennebula-5.12", "opennebula-6.10", "opennebula-7.4"])
def test_the_script_of_2013_runs(
    cloud: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(cloud=cloud, boot_seconds=0) as sandbox:
        monkeypatch.setenv("STRATUSLAB_CONFIG", str(sandbox.config_file))
        exec(compile(script(), "README.md", "exec"), {})
        before, after = capsys.readouterr().out.splitlines()
        assert before == "[]"
        assert "name=mynode" in after
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        driver.ex_wait_for_state(driver.list_nodes(), ["terminated"], timeout=30)
        assert driver.list_nodes() == []
