from __future__ import annotations

import configparser
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stratuslab.client import UserConfigurator
from stratuslab.client.copy_config import REFERENCE_CONFIGURATION, main, write_reference_configuration

KEYS = [
    "selected_section",
    "endpoint_timeout",
    "default_instance_type",
    "default_context_method",
    "default_network",
    "default_datastore",
    "user_public_key_file",
    "user_private_key_file",
    "name",
    "country",
    "endpoint",
    "pdisk_endpoint",
    "marketplace_endpoint",
    "username",
    "password",
    "pem_certificate",
    "pem_key",
    "pdisk_username",
    "pdisk_password",
    "verify_tls",
    "allow_plain_http",
    "ca_certificate",
]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_writes_the_usual_file_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    path = Path.home() / ".stratuslab" / "stratuslab-user.cfg"
    assert path.read_text(encoding="utf-8") == REFERENCE_CONFIGURATION
    assert capsys.readouterr().out == (
        f"The configuration file is {path}; fill in your cloud, user name and password.\n"
    )


def test_the_file_and_its_folder_are_the_user_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "user.cfg"
    assert main([str(path)]) == 0
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c" / "user.cfg"
    assert main([str(path)]) == 0
    assert path.is_file()


def test_a_tilde_is_the_home_folder() -> None:
    assert main(["~/my.cfg"]) == 0
    assert (Path.home() / "my.cfg").is_file()


def test_a_file_is_not_replaced_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "user.cfg"
    path.write_text("mine", encoding="utf-8")
    assert main([str(path)]) == 1
    assert path.read_text(encoding="utf-8") == "mine"
    assert capsys.readouterr().err == f"{path} exists; --force replaces it\n"


def test_force_replaces_a_file_and_shuts_others_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "user.cfg"
    path.write_text("mine", encoding="utf-8")
    path.chmod(0o644)
    assert main(["--force", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == REFERENCE_CONFIGURATION
    assert mode_of(path) == 0o600
    assert capsys.readouterr().err == ""


def test_force_without_a_file_writes_it(tmp_path: Path) -> None:
    assert main(["--force", str(tmp_path / "user.cfg")]) == 0
    assert (tmp_path / "user.cfg").is_file()


@pytest.mark.parametrize("arguments", [[], ["--force"]], ids=["plain", "force"])
@pytest.mark.parametrize("name", ["file/user.cfg", "file/deeper/user.cfg"])
def test_a_place_below_a_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], name: str
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    assert main([*arguments, str(path)]) == 1
    assert capsys.readouterr().err == f"{path} cannot be written: Not a directory\n"


def test_a_folder_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "user.cfg").mkdir()
    assert main(["--force", str(tmp_path / "user.cfg")]) == 1
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'user.cfg'} cannot be written: ")
    assert [path.name for path in tmp_path.iterdir()] == ["user.cfg"]


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    main([str(tmp_path / "user.cfg")])
    main(["--force", str(tmp_path / "user.cfg")])
    assert [path.name for path in tmp_path.iterdir()] == ["user.cfg"]


def test_the_function_raises_what_the_command_tells(tmp_path: Path) -> None:
    path = tmp_path / "user.cfg"
    write_reference_configuration(path)
    with pytest.raises(FileExistsError):
        write_reference_configuration(path)
    with pytest.raises(NotADirectoryError):
        write_reference_configuration(path / "below", force=True)


def test_what_it_writes_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "user.cfg"
    write_reference_configuration(path)
    configurator = UserConfigurator(path)
    assert configurator.locations() == ["my-cloud"]
    cloud = configurator.cloud("my-cloud")
    assert (cloud.name, cloud.country) == ("My cloud", "Europe")
    assert cloud.compute.url == "https://cloud.example.org/one-proxy/pswd/xmlrpc"
    assert cloud.required_pdisk().url == "https://cloud.example.org/pdisk"
    assert cloud.marketplace.url == "https://marketplace.stratuslab.eu"


def test_it_explains_every_key_once() -> None:
    written = re.findall(r"^#?(\w+) = ", REFERENCE_CONFIGURATION, re.MULTILINE)
    assert sorted(written) == sorted(KEYS)


def test_what_it_explains_as_an_example_is_taken(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        (tmp_path / name).touch()
    text = re.sub(r"^#(\S+ = )", r"\1", REFERENCE_CONFIGURATION, flags=re.MULTILINE)
    text = text.replace("~/.globus/usercert.pem", str(tmp_path / "cert.pem"))
    text = text.replace("~/.globus/userkey.pem", str(tmp_path / "key.pem"))
    text = text.replace("/etc/grid-security/certificates/my-ca.pem", str(tmp_path / "ca.pem"))
    (tmp_path / "user.cfg").write_text(text, encoding="utf-8")
    cloud = UserConfigurator(tmp_path / "user.cfg").cloud("my-cloud")
    assert cloud.instance_types["my.type"].ram_mib == 4096
    assert cloud.public_key_file == Path.home() / ".ssh" / "id_ed25519.pub"
    assert cloud.ca_certificate == tmp_path / "ca.pem"


def test_what_it_gives_as_the_default_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "user.cfg"
    write_reference_configuration(path)
    cloud = UserConfigurator(path).cloud("my-cloud")
    examples = configparser.ConfigParser()
    examples.read_string(re.sub(r"^#(\S+ = )", r"\1", REFERENCE_CONFIGURATION, flags=re.MULTILINE))
    assert cloud.timeout == examples.getfloat("default", "endpoint_timeout")
    assert cloud.default_instance_type == examples["default"]["default_instance_type"]
    assert cloud.context_method == examples["default"]["default_context_method"]
    assert cloud.marketplace.url == examples["my-cloud"]["marketplace_endpoint"]
    assert cloud.verify_tls is examples.getboolean("my-cloud", "verify_tls")


def test_it_is_a_command_with_an_exit_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stratuslab.client.copy_config", str(tmp_path / "user.cfg")]
    assert [subprocess.run(command, check=False, capture_output=True).returncode for _ in range(2)] == [0, 1]


def test_help_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "--force" in capsys.readouterr().out
