"""The keys that a section can have, and a warning for all others."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["warn_of_unknown_keys"]

logger = logging.getLogger(__name__)

_KNOWN = (
    "allow_plain_http",
    "ca_certificate",
    "country",
    "default_context_method",
    "default_datastore",
    "default_instance_type",
    "default_network",
    "endpoint",
    "endpoint_timeout",
    "marketplace_endpoint",
    "name",
    "password",
    "pdisk_endpoint",
    "pdisk_password",
    "pdisk_username",
    "pem_certificate",
    "pem_key",
    "selected_section",
    "user_private_key_file",
    "user_public_key_file",
    "username",
    "verify_tls",
)
_OF_THE_CLIENT_OF_14_06 = frozenset({"ip_to_hostname", "persistent_disk_uuid", "vm_requirements"})


def warn_of_unknown_keys(source: str, section: str, keys: Iterable[str]) -> None:
    """Log a warning for each key that has no meaning, with the nearest known key."""
    for key in keys:
        if key in _KNOWN or key in _OF_THE_CLIENT_OF_14_06:
            continue
        near = difflib.get_close_matches(key, _KNOWN, 1)
        advice = f"; did you mean {near[0]}?" if near else ""
        logger.warning(
            "%s, section [%s]: the key %s is unknown and is ignored%s", source, section, key, advice
        )
