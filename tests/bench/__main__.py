"""`python -m tests.bench` is what `python3 -m workshop bench` runs.

Each process that is started for a subject imports this file: so there is nothing in it.
"""

import sys

if __name__ == "__main__":
    from tests.bench.command import main

    sys.exit(main())
