"""The class's one command: `python3 -m workshop`."""
