"""`python -m tests.parity` is what `python3 -m workshop parity` runs."""

import sys

from tests.parity.command import main

sys.exit(main())
