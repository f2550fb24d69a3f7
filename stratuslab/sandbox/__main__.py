"""`python -m stratuslab.sandbox` is the command stratuslab-sandbox."""

import sys

from stratuslab.sandbox.cli import main

sys.exit(main())
