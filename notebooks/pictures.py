"""Make the pictures for the slides: run the notebooks, and save what they draw.

    .venv/bin/python notebooks/pictures.py

This writes slides/pictures/NAME.svg for each picture, and the alternative texts to alt.json.
"""

import json
import sys
from pathlib import Path

# nbformat imports jsonschema, which imports this package if it is there. The package then spends
# four seconds compiling grammars for a kind of text that no notebook contains.
sys.modules.setdefault("rfc3987_syntax", None)
import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "slides" / "pictures"
# A picture in a separate file has its own background, for light pages and for dark ones.
PAPER = """<style>
.picture { color: #1f2328; background: #ffffff }
@media (prefers-color-scheme: dark) { .picture { color: #e8e8e8; background: #161616 } }
</style>"""


def notebooks():
    """Return the paths of the steps' notebooks, in order."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(notebook, kernel=None):
    """Run a notebook, given as an nbformat node, from top to bottom; return it with its outputs.

    kernel: the manager of the kernel to run it in; by default, a new kernel
    """
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=60,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
    )
    try:
        client.execute()
    finally:
        if client.kc:
            client.kc.stop_channels()
    return notebook


def drawn(notebook):
    """Return the pictures in a notebook that has run: {name: {"alt": ..., "svg": ...}}."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output.get("metadata", {}).get("picture") for output in outputs]
    return {p["name"]: p for p in pictures if p and p["name"] != "yours"}


def main():
    pictures = {}
    for path in notebooks():
        print(path.name, flush=True)
        pictures |= drawn(run(nbformat.read(path, 4)))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.svg"):
        old.unlink()
    for name, picture in pictures.items():
        head, _, rest = picture["svg"].partition(">")
        (PICTURES / f"{name}.svg").write_text(f"{head}>\n{PAPER}{rest}", encoding="utf-8")
    alt = {name: picture["alt"] for name, picture in pictures.items()}
    (PICTURES / "alt.json").write_text(json.dumps(alt, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
