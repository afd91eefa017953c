"""An answer beside the solution: the lines that differ, and a few around them."""

from difflib import SequenceMatcher

from rich.table import Table
from rich.text import Text

AROUND = 3  # lines


def side_by_side(left, right, titles):
    """A table of two texts' lines, or None if they are the same."""
    left, right = left.splitlines(), right.splitlines()
    groups = list(SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(AROUND))
    if not groups:
        return None
    table = Table(*titles, expand=True, show_lines=False, pad_edge=False)
    for column in table.columns:
        column.ratio, column.overflow = 1, "fold"
    for group in groups:
        for what, i, i_end, j, j_end in group:
            style = "" if what == "equal" else "yellow"
            mark = " " if what == "equal" else "|"
            for k in range(max(i_end - i, j_end - j)):
                a = f"{mark} {left[i + k]}" if i + k < i_end else ""
                b = f"{mark} {right[j + k]}" if j + k < j_end else ""
                table.add_row(Text(a, style), Text(b, style))
        table.add_section()
    return table
