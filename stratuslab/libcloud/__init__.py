"""What Libcloud sees of StratusLab. Import ``stratuslab.libcloud.stratuslab_driver`` to register it."""

from stratuslab.libcloud.provider import STRATUSLAB

__all__ = ["STRATUSLAB"]
