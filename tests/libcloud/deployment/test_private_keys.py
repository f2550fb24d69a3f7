"""A private key that cannot open the node is refused before anything is started; one that can is used."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.ssh import ParamikoSSHClient

from stratuslab.client.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox

pytestmark = pytest.mark.slow


MAKERS: dict[str, Callable[[], Any]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": functools.partial(ec.generate_private_key, ec.SECP256R1()),
    "rsa": functools.partial(rsa.generate_private_key, 65537, 2048),
}
FORMATS = {
    "openssh": serialization.PrivateFormat.OpenSSH,
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "pkcs1": serialization.PrivateFormat.TraditionalOpenSSL,
}
PASS_PHRASE = "correct-horse"


def write(folder: Path, kind: str, form: str, pass_phrase: str | None = None) -> tuple[str, str]:
    """Write a private key; return its file and its public key."""
    key = MAKERS[kind]()
    encryption: Any = serialization.NoEncryption()
    if pass_phrase and form == "openssh":  # whose usual 16 rounds take a second for each try
        encryption = FORMATS[form].encryption_builder().kdf_rounds(1).build(pass_phrase.encode())
    elif pass_phrase:
        encryption = serialization.BestAvailableEncryption(pass_phrase.encode())
    file = folder / f"{kind}-{form}"
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, FORMATS[form], encryption))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return str(file), public.decode()


@pytest.mark.parametrize("pass_phrase", [None, PASS_PHRASE], ids=["open", "encrypted"])
@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, form) for kind in MAKERS for form in FORMATS if (kind, form) != ("ed25519", "pkcs1")],
)
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")  # Libcloud calls it
def test_every_format_works_or_is_refused_at_once(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    sandbox: Sandbox,
    tmp_path: Path,
    kind: str,
    form: str,
    pass_phrase: str | None,
) -> None:
    private, public = write(tmp_path, kind, form, pass_phrase)
    arguments = {"ssh_key": private, "ssh_key_password": pass_phrase, "auth": NodeAuthSSHKey(public)}

    if loads(private, pass_phrase):
        assert deploy(driver, **arguments).name == "web"
    else:
        assert form == "pkcs8"
        refused(driver, deploy, sandbox, "ssh-keygen -p -f", **arguments)


def loads(file: str, pass_phrase: str | None) -> bool:
    """Return whether Libcloud or paramiko can load a key: that differs by their releases."""
    text = Path(file).read_text()
    ways = [functools.partial(ParamikoSSHClient("x")._get_pkey_object, text, pass_phrase)]
    for kind in (paramiko.RSAKey, paramiko.ECDSAKey, paramiko.Ed25519Key):
        ways.append(functools.partial(kind.from_private_key_file, file, pass_phrase))
    for way in ways:
        with contextlib.suppress(Exception):
            way()
            return True
    return False


def refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], sandbox: Sandbox, message: str, **arguments: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^the argument ssh_key: .*{message}") as caught:
        deploy(driver, **arguments)
    assert "one.vm.allocate" not in sandbox.request_log.operations()
    assert PASS_PHRASE not in str(caught.value)


@pytest.mark.parametrize("form", ["openssh", "pkcs8", "pkcs1"])
def test_a_wrong_pass_phrase_is_refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], sandbox: Sandbox, tmp_path: Path, form: str
) -> None:
    private, public = write(tmp_path, "rsa", form, PASS_PHRASE)
    auth = NodeAuthSSHKey(public)

    wrong = "cannot be opened with ssh_key_password; give its right pass phrase"
    refused(driver, deploy, sandbox, wrong, ssh_key=private, ssh_key_password="wrong", auth=auth)
    refused(driver, deploy, sandbox, "is encrypted; give its pass phrase", ssh_key=private, auth=auth)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give the file"),
        (" \n", "is empty; give the file"),
        (
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
            "is PuTTY's; write it for OpenSSH: puttygen",
        ),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@example.org\n", "is a public key; give"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n", "is a public key; give"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", "is a public key; give"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is broken, or of a kind"),
        ("hello\n", "holds no private key"),
    ],
    ids=["empty", "blank", "putty", "public", "public pem", "public ssh2", "broken", "text"],
)
def test_what_is_no_private_key_is_refused(
    driver: StratusLabNodeDriver,
    deploy: Callable[..., Any],
    sandbox: Sandbox,
    tmp_path: Path,
    content: str,
    message: str,
) -> None:
    file = tmp_path / "key"
    file.write_text(content)

    refused(driver, deploy, sandbox, message, ssh_key=str(file))


def test_a_file_that_cannot_be_read_is_refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    refused(driver, deploy, sandbox, "cannot be read: No such file", ssh_key=str(tmp_path / "gone"))
    refused(driver, deploy, sandbox, "cannot be read: it is not text", ssh_key=str(tmp_path / "binary"))
    refused(driver, deploy, sandbox, "give a list", ssh_key=7)


def test_the_key_of_another_pair_is_refused(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], sandbox: Sandbox, tmp_path: Path, home: Path
) -> None:
    private, _ = write(tmp_path, "ed25519", "openssh")
    _, other = write(tmp_path, "ecdsa", "openssh")
    refused(driver, deploy, sandbox, "is not the private key of", ssh_key=private, auth=NodeAuthSSHKey(other))

    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519.pub").write_text(f"{other} me@example.org\n")
    refused(driver, deploy, sandbox, "is not the private key of", ssh_key=private)


def test_one_of_several_keys_is_enough(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], tmp_path: Path
) -> None:
    """The guest's server ends the connection at the first key that it does not know, many do after some."""
    first, _ = write(tmp_path, "ecdsa", "openssh")
    second, public = write(tmp_path, "ed25519", "openssh")

    for keys in ([second, first], [first, second]):
        assert deploy(driver, ssh_key=keys, auth=NodeAuthSSHKey(public), timeout=5).name == "web"


def test_a_key_in_the_home_folder_and_as_a_path(
    driver: StratusLabNodeDriver, deploy: Callable[..., Any], home: Path
) -> None:
    private, public = write(home, "ed25519", "openssh")

    for key in (f"~/{Path(private).name}", Path(private)):
        assert deploy(driver, ssh_key=key, auth=NodeAuthSSHKey(public), timeout=5).name == "web"
