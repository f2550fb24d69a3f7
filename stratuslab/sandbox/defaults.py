"""The cloud that a sandbox has by default."""

from types import MappingProxyType

CLOUD = "stratuslab"
LOCATIONS = ("sandbox",)
USERS = MappingProxyType({"demo": "demo-pass", "guest": "guest-pass"})
BOOT_SECONDS = 2.0
HOSTS = 3
DIALECT = "14.06"
