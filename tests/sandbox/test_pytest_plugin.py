"""The plugin, in runs of pytest of their own, as its users have it: by the entry point.

Where a test is not about what is imported, its run is in this process, which takes a tenth of the time.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


# Hypothesis's own plugin imports all of Hypothesis at the end of each run, which takes longer than the run.
OPTIONS = ("-W", "error", "--strict-markers", "-p", "no:hypothesispytest")
INSTALL = (
    "the sandbox needs the package werkzeug; install it with:"
    " pip install 'stratuslab-libcloud-drivers[sandbox]'"
)


def outcomes(pytester: pytest.Pytester) -> dict[str, int]:
    return pytester.runpytest_inprocess(*OPTIONS).parseoutcomes()


def test_a_fresh_cloud_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("number", [1, 2])
        def test_one(stratuslab_sandbox, stratuslab_driver, number):
            assert stratuslab_driver.list_nodes() == []
            image, size = stratuslab_driver.list_images()[0], stratuslab_driver.list_sizes()[0]
            node = stratuslab_driver.create_node("web", size, image)
            assert node.state == "running"
            assert [location.id for location in stratuslab_driver.list_locations()] == ["sandbox"]
            assert "one.vm.allocate" in stratuslab_sandbox.request_log.operations()
            seen.append(stratuslab_sandbox)

        def test_all_have_been_stopped():
            for sandbox in seen:
                with pytest.raises(RuntimeError):
                    sandbox.url
            assert len(set(seen)) == 2
        """
    )
    assert outcomes(pytester) == {"passed": 3}


def test_code_under_test_finds_the_cloud_by_itself(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUSLAB_CONFIG", "/nowhere")
    pytester.makepyfile(
        """
        import os

        def test_with(stratuslab_sandbox):
            assert os.environ["STRATUSLAB_CONFIG"] == str(stratuslab_sandbox.config_file)

        def test_without():
            assert os.environ["STRATUSLAB_CONFIG"] == "/nowhere"
        """
    )
    assert outcomes(pytester) == {"passed": 2}


def test_settings_and_marks(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nstratuslab_locations = paris lyon\nstratuslab_boot_seconds = 3600\n")
    pytester.makepyfile(
        """
        import pytest

        def first_node(driver):
            image, size = driver.list_images()[0], driver.list_sizes()[0]
            return driver.create_node("web", size, image)

        def names(driver):
            return [location.id for location in driver.list_locations()]

        def test_settings(stratuslab_driver, stratuslab_sandbox):
            assert names(stratuslab_driver) == ["paris", "lyon"]
            node = first_node(stratuslab_driver)
            assert node.state == "pending"
            stratuslab_sandbox.clock.step(3600)
            assert node.state == "running"

        @pytest.mark.stratuslab(locations=["rome"])
        class TestMarks:
            def test_of_the_class(self, stratuslab_driver):
                assert names(stratuslab_driver) == ["rome"]
                assert first_node(stratuslab_driver).state == "pending"

            @pytest.mark.stratuslab(boot_seconds=0)
            def test_of_both(self, stratuslab_driver):
                assert names(stratuslab_driver) == ["rome"]
                assert first_node(stratuslab_driver).state == "running"

            @pytest.mark.stratuslab(locations=["oslo"])
            def test_the_nearest_wins(self, stratuslab_driver):
                assert names(stratuslab_driver) == ["oslo"]
        """
    )
    assert outcomes(pytester) == {"passed": 4}


def test_faults(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from libcloud.common.types import LibcloudError

        @pytest.mark.stratuslab(faults=["one.vmpool.info:nth=1:error=8192"])
        def test_fault(stratuslab_driver):
            with pytest.raises(LibcloudError):
                stratuslab_driver.list_nodes()
            assert stratuslab_driver.list_nodes() == []
        """
    )
    assert outcomes(pytester) == {"passed": 1}


@pytest.mark.parametrize("arguments", ["location=['here']", "['here']"])
def test_a_wrong_mark_says_what_is_right(pytester: pytest.Pytester, arguments: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.stratuslab({arguments})
        def test_mark(stratuslab_sandbox):
            pass
        """
    )
    result = pytester.runpytest_inprocess(*OPTIONS)
    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(
        ["pytest.mark.stratuslab takes locations=, boot_seconds=, faults= and cloud="]
    )


def test_they_are_listed_with_all_others(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OPTIONS, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.stratuslab(*"])
    result = pytester.runpytest_inprocess(*OPTIONS, "--fixtures")
    result.stdout.fnmatch_lines(
        ["stratuslab_sandbox*", "*Start a fresh StratusLab cloud*", "stratuslab_driver*"]
    )


def test_nothing_is_imported_until_a_fixture_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        HEAVY = ("libcloud", "stratuslab.", "werkzeug", "xmlrpc")

        def loaded():
            return {name for name in sys.modules if name.startswith(HEAVY)}

        def test_before():
            assert loaded() == {"stratuslab.sandbox", "stratuslab.sandbox.pytest_plugin"}

        def test_a_sandbox_needs_no_driver(stratuslab_sandbox):
            assert "werkzeug" in loaded()
            assert "stratuslab.libcloud" not in loaded()
        """
    )
    assert pytester.runpytest_subprocess(*OPTIONS).parseoutcomes() == {"passed": 2}


@pytest.mark.parametrize("by", ["mark", "setting"])
def test_another_kind_of_cloud(pytester: pytest.Pytester, by: str) -> None:
    mark = '@pytest.mark.stratuslab(cloud="opennebula-6.10")' if by == "mark" else ""
    if by == "setting":
        pytester.makeini("[pytest]\nstratuslab_cloud = opennebula-6.10\n")
    pytester.makepyfile(
        f"""
        import pytest

        {mark}
        def test_kind(stratuslab_sandbox):
            endpoint = stratuslab_sandbox.endpoints["sandbox"]["endpoint"]
            assert endpoint == stratuslab_sandbox.url + "/sandbox/RPC2"
            assert stratuslab_sandbox.opennebula("sandbox").oned.release.version == "6.10.5"
        """
    )
    assert outcomes(pytester) == {"passed": 1}


def test_a_cloud_for_a_module_and_for_the_run(pytester: pytest.Pytester) -> None:
    shared = """
        import os
        import pytest

        pytestmark = pytest.mark.stratuslab(locations=["{name}"])

        @pytest.mark.parametrize("number", [1, 2])
        def test_module(stratuslab_sandbox_module, request, number):
            assert [*stratuslab_sandbox_module.endpoints] == ["{name}"]
            assert os.environ["STRATUSLAB_CONFIG"] == str(stratuslab_sandbox_module.config_file)
            seen = request.config.stash.setdefault("seen", set())
            seen.add(stratuslab_sandbox_module)
            assert len(seen) == {modules}

        def test_run(stratuslab_sandbox_session, request):
            assert [*stratuslab_sandbox_session.endpoints] == ["sandbox"]
            assert stratuslab_sandbox_session is request.config.stash.setdefault(
                "one", stratuslab_sandbox_session
            )

        def test_a_fresh_one_goes_first(stratuslab_sandbox_module, stratuslab_sandbox):
            assert os.environ["STRATUSLAB_CONFIG"] == str(stratuslab_sandbox.config_file)
    """
    pytester.makepyfile(
        test_a=shared.format(name="paris", modules=1), test_b=shared.format(name="lyon", modules=2)
    )
    assert outcomes(pytester) == {"passed": 8}


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("def test_it(): pass\n", "1 passed"),
        ("def test_it(stratuslab_sandbox): pass\n", INSTALL),
        ("def test_it():\n    from stratuslab.sandbox import Sandbox\n", INSTALL),
    ],
    ids=["not used", "fixture", "import"],
)
def test_without_the_extra(tmp_path: Path, test: str, expected: str) -> None:
    """The plugin is loaded also where nobody has asked for a sandbox: there, Werkzeug may be missing."""
    tmp_path.joinpath("test_it.py").write_text(test, encoding="utf-8")
    tmp_path.joinpath("werkzeug.py").write_text(
        "raise ModuleNotFoundError(name='werkzeug')\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", *OPTIONS, "-q", "--rootdir", str(tmp_path), "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (expected == INSTALL, "")
    assert expected in done.stdout
