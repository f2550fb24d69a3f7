"""How Sphinx makes the pages: ``tox -e docs``."""

from importlib.metadata import version as version_of

project = "stratuslab-libcloud-drivers"
project_copyright = "the StratusLab collaboration"
release = version = version_of(project)

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_title = "StratusLab and OpenNebula for Libcloud"
