"""Metadata of the distribution; build system and tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

REPOSITORY = "https://github.com/StratusLab/libcloud-drivers"
SANDBOX = ["asyncssh>=2.24.0", "cryptography>=48.0.1", "markupsafe>=2.1.1", "werkzeug>=3.0,<4"]
DEPLOY = ["cryptography>=48.0.1", "paramiko>=4.0.0"]
DOCS = ["furo>=2024.8.6", "myst-parser>=4", "sphinx>=8"]
BENCHMARKS = ["pyone>=7.0"]
TEST = [
    *SANDBOX,
    *DEPLOY,
    "build>=1.2",
    "hypothesis>=6.100",
    "mock>=5.1",
    "mypy>=1.15",
    "pytest>=8.3",
    "pytest-cov>=6",
    "pytest-xdist>=3.6",
    "requests-mock>=1.12",
    "ruff>=0.11,<0.20",
    "twine>=6.1",
]


def readme() -> str:
    """Return the README as a package index needs it: links and pictures with the repository's address."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r"(!\[[^]]*\]\()(?=docs/)", rf"\g<1>{REPOSITORY}/raw/HEAD/", text)
    return re.sub(r"(\]\()(?!https?:|#)", rf"\g<1>{REPOSITORY}/blob/HEAD/", text)


setup(
    name="stratuslab-libcloud-drivers",
    version="26.11.0",
    description="Apache Libcloud driver for StratusLab and OpenNebula clouds, with a cloud for your laptop",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    url=REPOSITORY,
    project_urls={
        "Documentation": f"{REPOSITORY}/blob/HEAD/docs/index.md",
        "Changelog": f"{REPOSITORY}/blob/HEAD/CHANGES.md",
    },
    keywords=["stratuslab", "opennebula", "libcloud", "cloud", "iaas", "sandbox", "testing"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Intended Audience :: System Administrators",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Software Development :: Libraries",
        "Topic :: System :: Distributed Computing",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_namespace_packages(include=["stratuslab.*"]),
    package_data={"": ["py.typed"], "stratuslab.sandbox.web": ["page.css", "page.js"]},
    install_requires=["apache-libcloud>=3.8,<4", "requests>=2.28.1,<3", "urllib3>=1.26.12,<3"],
    extras_require={
        "sandbox": SANDBOX,
        "deploy": DEPLOY,
        "docs": [*SANDBOX, *DOCS],
        "test": TEST,
        "benchmarks": BENCHMARKS,
    },
    entry_points={
        "console_scripts": [
            "stratus-copy-config = stratuslab.client.copy_config:main",
            "stratuslab-sandbox = stratuslab.sandbox.cli:main",
        ],
        "pytest11": ["stratuslab = stratuslab.sandbox.pytest_plugin"],
    },
)
