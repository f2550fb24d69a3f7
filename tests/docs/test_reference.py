"""What a user can write or meet stands in a page: arguments, errors, keys, variables, states."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from libcloud.compute.base import NodeDriver

from stratuslab.client import errors
from stratuslab.client.copy_config import REFERENCE_CONFIGURATION
from stratuslab.client.opennebula.vm import VirtualMachine
from stratuslab.client.opennebula.vm_states import label_of
from stratuslab.client.transport.session import _AUTHORITIES
from stratuslab.libcloud.node import state_of
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.libcloud.stratuslab_driver import StratusLabNode, StratusLabNodeDriver, StratusLabVolume
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from libcloud.compute.base import VolumeSnapshot

    from stratuslab.libcloud.image import StratusLabImage

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DRIVER_PAGE = DOCS.joinpath("reference", "driver.md").read_text(encoding="utf-8")


def documented_classes() -> Iterator[type]:
    """Yield the classes whose docstrings Sphinx puts into the page of the driver."""
    for path in re.findall(r"autoclass:: ([\w.]+)", DRIVER_PAGE):
        module, _, name = path.rpartition(".")
        yield getattr(importlib.import_module(module), name)


def docstrings() -> Iterator[str]:
    for documented in documented_classes():
        yield inspect.getdoc(documented) or ""
        for _, member in inspect.getmembers(documented):
            if inspect.isfunction(member) and not member.__name__.startswith("_"):
                yield inspect.getdoc(member) or ""


REFERENCE = "\n".join(docstrings())
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
PAGES = "\n".join([README, *(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))])


def public_methods() -> dict[str, inspect.Signature]:
    members = inspect.getmembers(StratusLabNodeDriver, inspect.isfunction)
    return {name: inspect.signature(member) for name, member in members if not name.startswith("_")}


def test_every_argument_of_our_own_is_documented() -> None:
    signatures = [*public_methods().values(), inspect.signature(StratusLabNodeDriver)]
    arguments = {name for signature in signatures for name in signature.parameters if name.startswith("ex_")}
    assert {name for name in arguments if f":param {name}:" not in REFERENCE} == set()


def test_every_argument_of_the_constructor_is_documented() -> None:
    arguments = set(inspect.signature(StratusLabNodeDriver).parameters) - {"options", "kwargs"}
    assert {name for name in arguments if f":param {name}:" not in REFERENCE} == set()


def test_the_page_of_the_driver_lists_every_argument_that_libcloud_does_not_have() -> None:
    made = rows_after(DRIVER_PAGE, "Make a driver")
    constructors = (StratusLabNodeDriver, OpenNebulaNodeDriver)
    arguments = {name for driver in constructors for name in inspect.signature(driver).parameters}
    assert set(re.findall(r"\w+", " ".join(made))) - {"argument"} == arguments - {"kwargs"}

    table = DRIVER_PAGE.partition("\n## Arguments that Libcloud does not have\n")[2].partition("\n## ")[0]
    listed = {
        (method, name)
        for method, names in re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    further = {
        (method, name)
        for method, signature in public_methods().items()
        if hasattr(NodeDriver, method)
        for name in signature.parameters.keys() - inspect.signature(getattr(NodeDriver, method)).parameters
    }
    assert listed == further | {("deploy_node", "ex_on_failure")}


def test_every_method_of_our_own_stands_in_a_page() -> None:
    names = {name for name in public_methods() if name.startswith("ex_")}
    assert {name for name in names if f"`{name}`" not in PAGES} == set()


def test_the_table_of_configuration_keys_is_complete() -> None:
    page = DOCS.joinpath("reference", "configuration.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    table = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert table == set(re.findall(r"^#?(\w+) = ", REFERENCE_CONFIGURATION, re.MULTILINE))


def error_rows() -> list[list[str]]:
    page = DOCS.joinpath("reference", "errors.md").read_text(encoding="utf-8").partition("\n## ")[0]
    return [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]


def test_every_error_has_a_row() -> None:
    classes = {
        name
        for name in errors.__all__
        if inspect.isclass(getattr(errors, name)) and name != "StratusLabError"
    }
    assert {row[0].strip("| `") for row in error_rows()} == classes


@pytest.mark.parametrize("row", error_rows(), ids=lambda row: row[0].strip("| `"))
def test_what_an_error_also_is(row: list[str]) -> None:
    error = getattr(errors, row[0].strip("| `"))
    also = row[1].strip("| `").rpartition(".")[2]
    assert not also or also in {base.__name__ for base in error.__mro__}


def extra_keys() -> dict[str, set[str]]:
    """Return the keys of every ``extra`` that the driver makes, by the headings of the page."""
    found: dict[str, set[str]] = defaultdict(set)
    for cloud, name in (("stratuslab", "StratusLab"), ("opennebula-6.10", "OpenNebula")):
        with Sandbox(boot_seconds=0, cloud=cloud) as sandbox:
            driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
            image, size = driver.list_images(ex_kind="machine")[0], driver.list_sizes()[0]
            node = driver.create_node(name="web", size=size, image=image)
            driver.wait_until_running([node], wait_period=0.1)
            volume = driver.create_volume(1, "data")
            driver.attach_volume(node, volume)
            images, volumes = [image], [volume, *driver.list_volumes()]
            templates: list[StratusLabImage] = []
            snapshots: list[VolumeSnapshot] = []
            if name == "OpenNebula":
                templates = driver.list_images(ex_kind="template")
                snapshots = [driver.create_volume_snapshot(volume)]
            made: dict[str, Sequence[Any]] = {
                "Nodes": [node, *driver.list_nodes()],
                f"Images of {name}": images,
                "VM templates of OpenNebula": templates,
                f"Volumes of {name}": volumes,
                "Snapshots": snapshots,
                "Sizes": driver.list_sizes(),
                "Networks": driver.ex_list_networks(),
            }
            for heading, objects in made.items():
                found[heading] |= {key for one in objects for key in one.extra}
    return found


def test_the_tables_of_extra_are_complete() -> None:
    page = DOCS.joinpath("reference", "extra.md").read_text(encoding="utf-8")
    tables = {}
    for section in page.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        tables[heading] = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert tables == extra_keys()


def test_the_docstrings_have_the_same_keys() -> None:
    found = extra_keys()
    volumes = found["Volumes of StratusLab"] | found["Volumes of OpenNebula"]
    for documented, keys in ((StratusLabNode, found["Nodes"]), (StratusLabVolume, volumes)):
        assert {key for key in keys if f"``{key}``" not in str(inspect.getdoc(documented))} == set()


def test_every_variable_of_the_environment_stands_in_the_table() -> None:
    table = DOCS.joinpath("reference", "environment.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("stratuslab/**/*.py"))
    used = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_0-9]+)\"", sources)) | {*_AUTHORITIES}
    of_every_process = {"HOME", "PATH", "REMOTE_PORT", "SHELL"}
    assert {name for name in used - of_every_process if f"`{name}`" not in table} == set()


def test_the_table_of_states_is_what_the_driver_shows() -> None:
    page = DOCS.joinpath("reference", "states.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    shown = {label: state for state, labels in rows for label in labels.split(", ")}
    numbers = [(state, 0) for state in range(12) if state != 3] + [(3, lcm) for lcm in range(72)]
    document = "<VM><ID>1</ID><STATE>{}</STATE><LCM_STATE>{}</LCM_STATE></VM>"
    for state, lcm_state in numbers:
        vm = VirtualMachine.from_element(ElementTree.fromstring(document.format(state, lcm_state)))
        assert shown[label_of(state, lcm_state)] == state_of(vm).value


def test_the_readme_has_the_figure_of_the_page_of_reliability() -> None:
    page = DOCS.joinpath("reliability.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*all\*\* \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 2
    stratuslab, opennebula = ([int(cell) for cell in row.split(" | ")] for row in rows)
    tried = sum(stratuslab[:2]) + opennebula[0]
    assert f" {tried:,} faults and pairs of faults " in README
    assert stratuslab[-1] == opennebula[-1] == 0


METHODS_OF_TOPICS = {
    "snapshots": ["create_volume_snapshot", "list_volume_snapshots", "destroy_volume_snapshot"],
    "key pairs": ["create_key_pair", "list_key_pairs", "get_key_pair", "delete_key_pair"],
    "nodes": ["create_node", "destroy_node", "reboot_node", "start_node", "stop_node"],
    "images": ["list_images", "get_image"],
    "sizes": ["list_sizes"],
    "volumes": ["create_volume", "attach_volume", "detach_volume", "destroy_volume"],
    "deployment over SSH": ["deploy_node"],
}


def rows_after(text: str, heading: str) -> dict[str, list[str]]:
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {line[0].strip("`"): line[1:] for line in lines}


@pytest.mark.parametrize("topic", METHODS_OF_TOPICS)
def test_the_readme_offers_what_the_table_of_methods_offers(topic: str) -> None:
    methods = rows_after(
        DOCS.joinpath("opennebula.md").read_text(encoding="utf-8"), "Every method of Libcloud"
    )
    offered = rows_after(README, "What works where")[topic]
    for cloud in (0, 1):
        missing = [methods[name][cloud].startswith("not offered") for name in METHODS_OF_TOPICS[topic]]
        assert all(missing) if offered[cloud].startswith("not offered") else not any(missing)


@pytest.mark.parametrize(
    "command",
    [
        ["stratuslab-sandbox"],
        ["stratuslab-sandbox", "serve"],
        ["stratuslab-sandbox", "exec"],
        ["stratus-copy-config"],
    ],
    ids=" ".join,
)
def test_every_option_of_a_command_stands_in_a_page(
    command: list[str], run: Callable[..., str], tmp_path: Path
) -> None:
    options = set(
        re.findall(r"^  (?:-\w, )?(--[a-z-]+)", run(*command, "--help", cwd=tmp_path), re.MULTILINE)
    )
    assert options
    assert {option for option in options if not re.search(rf"`[^`\n]*{option}(?![a-z-])", PAGES)} == set()


def test_every_table_of_performance_has_its_command() -> None:
    sections = DOCS.joinpath("performance.md").read_text(encoding="utf-8").split("\n## ")
    with_figures = [section for section in sections if "\n|---" in section]
    assert with_figures
    assert [section for section in with_figures if "`python -m benchmarks" not in section] == []
