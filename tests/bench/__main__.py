"""`python -m tests.bench`, which `python3 -m workshop bench` runs.

Every process that measures a subject imports this file, so it does nothing else.
"""

import sys

if __name__ == "__main__":
    from tests.bench.command import main

    sys.exit(main())
