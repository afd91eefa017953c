"""Make the pictures of slides and lessons: run the notebooks, and keep what they draw.

    .venv/bin/python notebooks/pictures.py

This writes slides/pictures/NAME.svg, and alt.json beside them: each picture's alternative text.
"""

import json
import sys
from pathlib import Path

# nbformat imports jsonschema, and that imports this if it can: grammars that take four seconds to
# compile, to check a kind of text that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)
import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parent / "slides" / "pictures"
# In a file of its own, a picture brings its paper along, for a light page or for a dark one.
PAPER = """<style>
.picture { color: #1f2328; background: #ffffff }
@media (prefers-color-scheme: dark) { .picture { color: #e8e8e8; background: #161616 } }
</style>"""


def notebooks():
    """The notebooks of the steps, in order."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(notebook, kernel=None):
    """Run a notebook, an nbformat node, from top to bottom.

    kernel: the manager of a kernel to run it in; without it, the notebook has one of its own
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
    """The pictures in a notebook that was run: {name: {"alt": ..., "svg": ...}}."""
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
