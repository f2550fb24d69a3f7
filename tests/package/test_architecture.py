"""The arrows of docs/design.md, read from the import statements."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Function = ast.FunctionDef | ast.AsyncFunctionDef

ROOT = Path(__file__).parents[2]
LAYERS = [
    {"site"},
    {"kinds"},
    {"marketplace", "opennebula", "pdisk"},
    {"transport"},
    {"configuration", "errors", "frames"},
]
"""The folders and files of ``client``, from the top down; what is in none of them is at the very top."""
SERVICES = {
    "http": set(),
    "xmlrpc": set(),
    "opennebula/template": set(),
    "marketplace": {"http"},
    "pdisk": {"http", "marketplace"},
    "opennebula": {"http", "xmlrpc", "marketplace", "pdisk"},
}
"""The folders of the sandbox's services, and what each may import beside itself and the ground."""
GROUND = {"clock", "defaults", "dialect", "fork", "table"}
"""The files of ``sandbox`` that any of its folders may import."""
LOCATIONS = {"location", "opennebula_location"}
"""The files of ``sandbox`` that wire the services of a cloud; what looks at a whole cloud imports them."""
LOOKERS = {"faults", "guests", "state", "web"}
MAX_LINES = 400
LONGER = {"stratuslab.libcloud.stratuslab_driver": 650}
"""Modules that may have more lines: the driver has one method for each function that Libcloud offers."""
SPEAKS_HTTP = {"aiohttp", "http.client", "httpx", "requests", "socket", "urllib.request", "urllib3"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {module_name(path): path for path in sorted(ROOT.glob("stratuslab/**/*.py"))}


def parsed(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def nodes_at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below this one, without what is there for a type checker."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from nodes_at_run_time(child)


def imports_of(module: str, nodes: Iterable[ast.AST] | None = None) -> Iterator[str]:
    """Yield what a module imports, as far as the names are modules; `a.b.c` stands for `a` and `a.b` too."""
    package = module if SOURCES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(parsed(module)) if nodes is None else nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            submodules = [f"{source}.{name.name}" for name in node.names]
            yield source
            yield from (name for name in submodules if name in SOURCES)


def is_within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def modules_of(package: str) -> list[str]:
    return [module for module in SOURCES if is_within(module, f"stratuslab.{package}")]


CLIENT = {
    module: {name for name in imports_of(module) if name in SOURCES} - {module}
    for module in modules_of("client")
    if module != "stratuslab.client"
}


RUN_TIME = {
    module: {name for name in imports_of(module, nodes_at_run_time(parsed(module))) if name in SOURCES}
    - {module, *(package for package in SOURCES if is_within(module, package))}
    for module in SOURCES
}
"""What each module imports when it runs, but for the packages that it is in."""


def folder_of(module: str) -> str:
    """Return the folder of a module of ``sandbox`` as it is named above, the name of a file at its top."""
    parts = module.split(".")[2:]
    if parts[:2] == ["opennebula", "template"]:
        return "opennebula/template"
    return parts[0] if parts else ""


def reached_from(module: str, graph: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph.get(name, ())
    return reached


def in_client(names: Iterable[str]) -> set[str]:
    """Return the modules in these folders of ``client``."""
    return {module for module in CLIENT for name in names if is_within(module, f"stratuslab.client.{name}")}


def test_stratuslab_is_a_namespace_of_three_packages() -> None:
    packages = {".".join(module.split(".")[:2]) for module in SOURCES}
    assert packages == {"stratuslab.client", "stratuslab.libcloud", "stratuslab.sandbox"}


def test_the_folders_named_here_exist() -> None:
    assert all(in_client({name}) for layer in LAYERS for name in layer)


def test_every_folder_of_client_is_in_a_layer() -> None:
    folders = {module.split(".")[2] for module in CLIENT if SOURCES[module].name == "__init__.py"}
    assert folders <= set().union(*LAYERS)


@pytest.mark.parametrize("module", SOURCES)
def test_modules_are_short(module: str) -> None:
    lines = SOURCES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= LONGER.get(module, MAX_LINES)


def test_no_source_is_named_for_nothing() -> None:
    nothing = {"helpers", "misc", "util", "utils"}
    assert [module for module in SOURCES if module.rpartition(".")[2] in nothing] == []


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("client", {"client"}), ("libcloud", {"libcloud", "client"}), ("sandbox", {"sandbox"})],
)
def test_arrows_between_packages(package: str, allowed: set[str]) -> None:
    crossing = [
        (module, name)
        for module in modules_of(package)
        for name in imports_of(module)
        if is_within(name, "stratuslab")
        and not any(is_within(name, f"stratuslab.{other}") for other in allowed)
    ]
    assert crossing == []


def test_only_the_pytest_plugin_imports_the_driver_by_its_name() -> None:
    naming = {
        (module.rpartition(".")[2], node.value)
        for module in modules_of("sandbox")
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(is_within(node.value, f"stratuslab.{package}") for package in ("client", "libcloud"))
    }
    assert naming == {
        ("pytest_plugin", f"stratuslab.libcloud.{kind}_driver") for kind in ("opennebula", "stratuslab")
    }


@pytest.mark.parametrize("module", CLIENT)
def test_no_circle_in_client(module: str) -> None:
    assert module not in reached_from(module, CLIENT)


@pytest.mark.parametrize("module", SOURCES)
def test_no_circle_at_run_time(module: str) -> None:
    assert module not in reached_from(module, RUN_TIME)


def test_every_folder_of_the_sandbox_is_named_here() -> None:
    folders = {path.parent.name for path in ROOT.glob("stratuslab/sandbox/*/__init__.py")}
    assert folders == {*SERVICES, *LOOKERS} - {"opennebula/template"}
    assert {f"stratuslab.sandbox.{name}" for name in GROUND | LOCATIONS} <= {*SOURCES}


@pytest.mark.parametrize("folder", sorted({*SERVICES, *LOOKERS, *GROUND, *LOCATIONS}))
def test_arrows_in_the_sandbox(folder: str) -> None:
    if folder in SERVICES:
        allowed = {folder, *SERVICES[folder], *GROUND}
        if folder == "opennebula":
            allowed.add("opennebula/template")
    elif folder in GROUND:
        allowed = GROUND
    else:
        allowed = {*SERVICES, *GROUND, *LOCATIONS, *({folder} & LOOKERS)}
    crossing = {
        (module, name)
        for module in modules_of("sandbox")
        if folder_of(module) == folder
        for name in RUN_TIME[module]
        if folder_of(name) not in allowed
    }
    assert crossing == set()


@pytest.mark.parametrize(
    ("layer", "above"),
    [(layer, above) for place, layer in enumerate(LAYERS) for above in LAYERS[:place]],
)
def test_no_arrow_upwards_in_client(layer: set[str], above: set[str]) -> None:
    for module in in_client(layer):
        assert reached_from(module, CLIENT) & in_client(above) == set()


def test_only_the_transport_speaks_http() -> None:
    speakers = {
        (module, name.partition(".")[0])
        for module in [*modules_of("client"), *modules_of("libcloud")]
        for name in imports_of(module)
        if any(is_within(name, spoken) for spoken in SPEAKS_HTTP)
    }
    assert speakers - {("stratuslab.client.errors", "requests")} == {
        ("stratuslab.client.transport.connection", "requests"),
        ("stratuslab.client.transport.deadline", "http"),
        ("stratuslab.client.transport.deadline", "requests"),
        ("stratuslab.client.transport.deadline", "socket"),
        ("stratuslab.client.transport.deadline", "urllib3"),
        ("stratuslab.client.transport.failures", "http"),
        ("stratuslab.client.transport.failures", "requests"),
        ("stratuslab.client.transport.failures", "urllib3"),
        ("stratuslab.client.transport.session", "requests"),
    }


def test_client_sees_no_object_of_libcloud() -> None:
    seen = {
        (module.rpartition(".")[2], name)
        for module in modules_of("client")
        for name in imports_of(module)
        if is_within(name, "libcloud")
    }
    assert seen == {
        ("session", "libcloud"),
        ("session", "libcloud.common.base"),
        ("errors", "libcloud.common.types"),
    }


def is_public(name: str) -> bool:
    return not name.startswith("_")


def is_setter(function: Function) -> bool:
    return any(isinstance(mark, ast.Attribute) and mark.attr == "setter" for mark in function.decorator_list)


def public_definitions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and is_public(node.name):
            yield f"{prefix}.{node.name}", node
            yield from public_definitions(node.body, f"{prefix}.{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            is_public(node.name) or node.name == "__init__"
        ):
            yield f"{prefix}.{node.name}", node


@pytest.mark.parametrize("module", SOURCES)
def test_all_that_is_public_is_documented(module: str) -> None:
    tree = parsed(module)
    undocumented = [
        name
        for name, node in public_definitions(tree.body, module)
        if not ast.get_docstring(node)
        and not name.endswith(".__init__")
        and not (not isinstance(node, ast.ClassDef) and is_setter(node))
    ]
    assert ast.get_docstring(tree)
    assert undocumented == []


@pytest.mark.parametrize("module", SOURCES)
def test_signatures_name_their_arguments(module: str) -> None:
    """Only `deploy_node` and the driver's constructor, as Libcloud has them, take any keyword.

    And `ex_create_nodes`, which hands them to `create_node`, where each has its name.
    """
    vague = [
        name.rpartition(".")[2]
        for name, node in public_definitions(parsed(module).body, module)
        if not isinstance(node, ast.ClassDef) and node.args.kwarg
    ]
    of_libcloud = {
        "stratuslab.libcloud.deployment": ["deploy_node", "ex_create_nodes"],
        "stratuslab.libcloud.opennebula_driver": ["__init__"],
        "stratuslab.libcloud.stratuslab_driver": ["__init__"],
    }
    assert vague == of_libcloud.get(module, [])


def test_importing_the_driver_touches_nothing(run: Callable[..., str], tmp_path: Path) -> None:
    """No connection, no process, no file but those of Python and of installed packages."""
    configuration = tmp_path / ".stratuslab" / "stratuslab-user.cfg"
    configuration.parent.mkdir()
    configuration.write_text("[default]\n", encoding="utf-8")
    script = """
        import pathlib
        import sys

        CODE = (".py", ".pyc", ".so", ".zip")

        def watch(event, arguments):
            if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
                print(event, arguments)
            if event == "open" and not is_code(pathlib.Path(str(arguments[0]))):
                print(event, arguments[0])

        def is_code(path):
            return path.suffix in CODE or any(map(path.is_relative_to, (sys.prefix, sys.base_prefix)))

        sys.addaudithook(watch)
        import stratuslab.libcloud.stratuslab_driver
    """
    home = {"HOME": str(tmp_path), "STRATUSLAB_CONFIG": str(configuration)}
    assert run(sys.executable, "-B", "-c", textwrap.dedent(script), cwd=tmp_path, **home) == ""
