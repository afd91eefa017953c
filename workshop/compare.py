"""An answer and the solution: the lines that differ, and a few around them."""

from difflib import SequenceMatcher, unified_diff

from rich.table import Table
from rich.text import Text

AROUND = 3  # lines
STYLES = {"-": "red", "+": "green", "@": "cyan"}  # of a patch's lines, by their first character


def side_by_side(left, right, titles):
    """A table of two texts' lines, or None if they are the same."""
    left, right = left.splitlines(), right.splitlines()
    groups = list(SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(AROUND))
    if not groups:
        return None
    table = Table(*titles, pad_edge=False)
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


def one_below_the_other(left, right, titles):
    """The same as a patch, for where there is no room for two columns."""
    lines = unified_diff(left.splitlines(), right.splitlines(), *titles, n=AROUND, lineterm="")
    return Text("\n").join(Text(line, STYLES.get(line[:1], "")) for line in lines)
