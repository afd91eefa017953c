"""How Sphinx builds the slides. `python3 -m workshop slides` calls it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for directives.py

project = "Slow Flask endpoints, immediate responses"
extensions = ["myst_parser", "sphinx_revealjs", "directives"]
exclude_patterns = ["INSTRUCTOR.md", "[0-9]*.md"]  # index.md includes the numbered ones
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist"]
highlight_language = "python"
html_copy_source = False
smartquotes = False  # what is quoted stays as it is typed

revealjs_static_path = ["_static"]
revealjs_style_theme = "theme.css"
revealjs_js_files = ["colours.js"]
revealjs_script_conf = {
    "width": 1280,
    "height": 720,
    "margin": 0,
    "maxScale": 10,
    "center": False,
    "hash": True,
    "slideNumber": "c/t",
    "controls": False,
    "transition": "none",
    "navigationMode": "linear",  # one key goes on; the overview (Esc) has a column for each step
    "pdfSeparateFragments": False,
    "defaultTiming": 60,  # seconds; each slide has its own, but without this there is no pacing
}
revealjs_script_plugins = [
    {"src": "revealjs/plugin/notes/notes.js", "name": "RevealNotes"},
]
