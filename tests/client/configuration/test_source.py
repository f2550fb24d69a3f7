from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import pytest

from stratuslab.client import UserConfigurator
from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from os import PathLike


Source: TypeAlias = "str | PathLike[str] | IO[str] | IO[bytes]"
CONTENT = """\
[default]
endpoint = cloud.example.org
username = alice
password = pässword
country = Österreich
"""


def country(configurator: UserConfigurator) -> str:
    return configurator.country("default")


def write(path: Path, country: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[default]\ncountry = {country}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_a_file_s_name(tmp_path: Path, kind: type[Path] | type[str]) -> None:
    path = write(tmp_path / "clouds.cfg", "argument")
    configurator = UserConfigurator(kind(path))
    assert country(configurator) == "argument"
    assert configurator.source == str(path)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_file_and_file_objects_of_text_and_of_bytes_say_the_same(
    tmp_path: Path, mark: str, line_end: str
) -> None:
    content = (mark + CONTENT).replace("\n", line_end)
    path = tmp_path / "clouds.cfg"
    path.write_bytes(content.encode())
    with path.open("rb") as as_bytes, path.open(encoding="utf-8") as as_text:
        sources: list[Source] = [path, as_bytes, as_text, io.BytesIO(content.encode()), io.StringIO(content)]
        for source in sources:
            configurator = UserConfigurator(source)
            assert country(configurator) == "Österreich"
            assert configurator.cloud("default").credentials == Password("alice", "pässword")


def test_a_file_object_is_called_by_its_name_in_messages(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.cfg", "anywhere")
    with path.open() as file:
        assert UserConfigurator(file).source == str(path)
    with pytest.raises(ConfigurationError, match=r"^the configuration file, section \[default\]"):
        UserConfigurator(io.StringIO(f"[default]\n{CONTENT[10:]}endpoint = ftp://nowhere")).cloud("default")


def test_a_file_object_is_read_once_and_left_open() -> None:
    file = io.StringIO(CONTENT)
    configurator = UserConfigurator(file)
    assert not file.closed
    file.close()
    assert country(configurator) == "Österreich"


def test_the_file_may_go_when_it_has_been_read(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.cfg", "anywhere")
    configurator = UserConfigurator(path)
    path.unlink()
    assert country(configurator) == "anywhere"


def test_the_argument_wins_over_the_environment_and_that_over_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argument = write(tmp_path / "argument.cfg", "argument")
    environment = write(tmp_path / "environment.cfg", "environment")
    write(Path.home() / ".stratuslab" / "stratuslab-user.cfg", "home")
    assert country(UserConfigurator()) == "home"
    monkeypatch.setenv("STRATUSLAB_CONFIG", str(environment))
    assert country(UserConfigurator()) == "environment"
    assert country(UserConfigurator(argument)) == "argument"
    monkeypatch.setenv("STRATUSLAB_CONFIG", "")
    assert country(UserConfigurator()) == "home"


def test_a_tilde_is_the_home_folder_in_the_argument_and_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write(Path.home() / "clouds.cfg", "home")
    assert country(UserConfigurator("~/clouds.cfg")) == "home"
    assert UserConfigurator(Path("~/clouds.cfg")).source == str(path)
    monkeypatch.setenv("STRATUSLAB_CONFIG", "~/clouds.cfg")
    assert country(UserConfigurator()) == "home"


@pytest.mark.parametrize("name", ["missing.cfg", "~no-such-user-here/missing.cfg"])
def test_a_missing_file_is_named_and_help_is_offered(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        UserConfigurator(name)
    assert str(caught.value) == (
        f"there is no configuration file {name}; `stratus-copy-config` writes one to start from"
    )


def test_without_any_file_the_usual_place_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        UserConfigurator()
    assert str(Path.home() / ".stratuslab" / "stratuslab-user.cfg") in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: ") as caught:
        UserConfigurator(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert isinstance(caught.value.__cause__, IsADirectoryError)


@pytest.mark.parametrize("kind", ["file", "bytes", "text"])
def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "latin.cfg"
    path.write_bytes(CONTENT.encode("latin-1"))
    with path.open("rb") as as_bytes, path.open(encoding="utf-8") as as_text:
        sources: dict[str, Source] = {"file": path, "bytes": as_bytes, "text": as_text}
        with pytest.raises(ConfigurationError) as caught:
            UserConfigurator(sources[kind])
    assert str(caught.value).startswith(f"{path} is not ")
    assert "ssword" not in str(caught.value)


@pytest.mark.parametrize(
    "source", [3, b"clouds.cfg", ["[default]"], object()], ids=["int", "bytes", "list", "object"]
)
def test_what_is_neither_a_name_nor_a_file_is_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"found a \w+; give a file name or an open file"):
        UserConfigurator(source)


def test_a_file_that_was_closed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.cfg", "anywhere")
    file = path.open()
    file.close()
    with pytest.raises(ConfigurationError, match=r"clouds\.cfg cannot be read: .*closed file"):
        UserConfigurator(file)


def test_a_file_that_is_open_for_writing_is_refused(tmp_path: Path) -> None:
    refusal = pytest.raises(ConfigurationError, match=r"clouds\.cfg cannot be read: not readable")
    with (tmp_path / "clouds.cfg").open("w") as file, refusal:
        UserConfigurator(file)


def test_a_name_that_the_system_does_not_take_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: embedded null byte"):
        UserConfigurator("clouds\0.cfg")


def test_a_file_without_a_name_is_called_the_configuration_file(tmp_path: Path) -> None:
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        assert UserConfigurator(io.BytesIO(b"[default]")).source == "the configuration file"
        with pytest.raises(ConfigurationError, match=r"^the configuration file has no \[default\] section"):
            UserConfigurator(file)


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o700, False)], ids=oct
)
def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    path = write(tmp_path / "clouds.cfg", "anywhere")
    path.chmod(mode)
    UserConfigurator(path)
    assert caplog.messages == [
        f"{path} holds a password and others can read it; chmod 600 changes that"
    ] * int(warned)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("username = alice\npassword = s3cret\n", "line 1: found a key before the first section"),
        ("\n# a comment\npassword = s3cret\n[default]\n", "line 3: found a key before the first section"),
        ("[default]\nusername = alice\ns3cret\n", "line 3: found neither a [section] nor a comment"),
        ("[default]\ns3cret\na = b\n= s3cret\n", "line 2, 4: found neither a [section] nor a comment"),
        ("", "has no [default] section"),
        ("# nothing else\n", "has no [default] section"),
        ("[my-cloud]\npassword = s3cret\n", "has no [default] section"),
        ("[DEFAULT]\npassword = s3cret\n", "has no [default] section"),
    ],
    ids=[
        "no-section",
        "first-key-late",
        "no-value",
        "no-value-no-key",
        "empty",
        "comment",
        "no-default",
        "capitals",
    ],
)
def test_what_is_not_a_configuration_is_refused_by_line_and_without_its_secrets(
    content: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        UserConfigurator(io.StringIO(content))
    assert message in str(caught.value)
    assert str(caught.value).startswith("the configuration file")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_repr_holds_the_file_s_name_and_nothing_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "clouds.cfg"
    path.write_text(CONTENT, encoding="utf-8")
    assert repr(UserConfigurator(path)) == f"UserConfigurator({str(path)!r})"
