"""The command of the workshop: `python3 -m workshop`."""

import os

WINDOWS = os.name == "nt"
COMMAND = ("py" if WINDOWS else "python3") + " -m workshop"  # as the learner types it
