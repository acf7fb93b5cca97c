"""`python -m queuectl`: the same as `queuectl`, whatever is on the path."""

import sys

from queuectl.cli.main import main

sys.exit(main())
