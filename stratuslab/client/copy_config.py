"""``stratus-copy-config``: a configuration file to start from."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stratuslab.client.configuration.user_configurator import DEFAULT_CONFIG_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REFERENCE_CONFIGURATION", "main", "write_reference_configuration"]

REFERENCE_CONFIGURATION = """\
# Configuration of a StratusLab user, for the Libcloud driver and for stratuslab.client.
#
# Each section is one cloud. If a section leaves out a key, the value in [default] counts.
# Write a percent sign twice: %%. A line that begins with # is a comment.

[default]

# The section for programs that name none.
selected_section = my-cloud

# How many seconds a service may take to answer.
#endpoint_timeout = 60

# The size of VMs for programs that name none: one of those below, or t1.micro, m1.small, m1.medium,
# m1.large, m1.xlarge, c1.medium, c1.xlarge.
#default_instance_type = m1.small

# How a VM gets its keys and context: one (OpenNebula's own way) or cloud-init.
#default_context_method = one

# The public SSH key that your VMs get; without it the first of id_ed25519.pub, id_ecdsa.pub
# and id_rsa.pub in ~/.ssh. Only deploy_node uses the private key.
#user_public_key_file = ~/.ssh/id_ed25519.pub
#user_private_key_file = ~/.ssh/id_ed25519

# At an OpenNebula cloud of today: the network and the datastore, by name or id, for calls that give none.
#default_network = public
#default_datastore = default

[my-cloud]

# How programs show the cloud to people.
name = My cloud
country = Europe

# Where the services are: a full URL, https://host, or a bare host for the ports before release 14.06.
# localhost alone, or a URL with the path /RPC2, is an OpenNebula without StratusLab's proxy.
# Leave out pdisk_endpoint if the volumes are on the same host, and marketplace_endpoint for StratusLab's
# own Marketplace.
endpoint = https://cloud.example.org/one-proxy/xmlrpc
pdisk_endpoint = https://cloud.example.org/pdisk
#marketplace_endpoint = https://marketplace.stratuslab.eu

# Who you are: user name and password ...
username = your-name
password = your-password

# ... or, without these two, a certificate and its key in PEM files; a grid proxy needs no pem_key.
#pem_certificate = ~/.globus/usercert.pem
#pem_key = ~/.globus/userkey.pem

# For volumes, if your account there is a different one.
#pdisk_username = your-name
#pdisk_password = your-password

# The certificates of the services are verified, with the usual authorities or with those in a PEM file.
#verify_tls = true
#ca_certificate = /etc/grid-security/certificates/my-ca.pem

# true allows plain http to another machine: everybody on the way can then read your password.
#allow_plain_http = false

# Sizes of VMs besides the standard ones: CPUs, RAM in MiB, swap in MiB.
[instance_types]
#my.type = 2, 4096, 1024
"""


def write_reference_configuration(path: Path, *, force: bool = False) -> None:
    """Write the reference configuration, readable by its owner alone.

    Folders on the way are made.

    With ``force`` a file that is there is replaced, whole or not at all.

    :raises FileExistsError: if there is a file and ``force`` is not set.
    :raises OSError: if the file cannot be written.
    """
    if not force and path.exists():
        raise FileExistsError(path)
    with suppress(FileExistsError):
        path.parent.mkdir(mode=0o700, parents=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(REFERENCE_CONFIGURATION)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="stratus-copy-config",
        description="Write a StratusLab configuration file to start from, with every key explained.",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if there is one")
    parser.add_argument("path", nargs="?", metavar="PATH", help=f"where to (default: {DEFAULT_CONFIG_FILE})")
    options = parser.parse_args(arguments)
    path = Path(options.path or DEFAULT_CONFIG_FILE).expanduser()
    try:
        write_reference_configuration(path, force=options.force)
    except FileExistsError:
        print(f"{path} exists; --force replaces it", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{path} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    print(f"The configuration file is {path}; fill in your cloud, user name and password.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
