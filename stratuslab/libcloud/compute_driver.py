"""The module name of release 14.06, for the scripts that name it."""

from stratuslab.libcloud.stratuslab_driver import StratusLabNode, StratusLabNodeDriver, StratusLabNodeSize

__all__ = ["StratusLabNode", "StratusLabNodeDriver", "StratusLabNodeSize"]
