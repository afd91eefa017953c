"""Is each solution judged the same each time? `python -m tests.catalogue.repeat [TIMES] [N …]`

Every wrong and every right solution of the steps is checked so many times, in an order drawn anew
each time, three at a time for each core. Every verdict that is not the expected one is printed, and
a table at the end.
"""

import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from tests.catalogue import judge
from tests.catalogue.judge import RIGHT, WRONG
from workshop.steps import STEPS

AT_A_TIME = 3 * os.cpu_count()


def misjudged(step, solution):
    """Check a solution, a mistake's id or a path; return the wrong explanation, or None."""
    if not isinstance(solution, str):
        return judge.verdict(step, judge.source(solution)).explanation
    code, checks = judge.wrong_solution(step, solution), judge.held_to(step, solution)
    explanation = judge.verdict(step, code, checks).explanation or {}
    return None if explanation.get("Mistake") == judge.id_of(step, solution) else explanation


def main(times=50, *numbers):
    """Print the table; return the exit status."""
    solutions = [pair for pair in WRONG + RIGHT if not numbers or pair[0].number in numbers]
    runs, misses, console = Counter(), Counter(), Console(soft_wrap=True, highlight=False)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for number in range(1, times + 1):
            drawn = random.sample(solutions, len(solutions))
            verdicts = pool.map(lambda pair: misjudged(*pair), drawn)
            for (step, solution), explanation in zip(drawn, verdicts, strict=True):
                runs[step] += 1
                if explanation is not None:
                    misses[step] += 1
                    console.print(
                        f"{step.folder} {getattr(solution, 'stem', solution)}: {explanation}"
                    )
            console.print(f"{number} of {times}: {sum(misses.values())} misjudged")
    table = Table("step", "solutions", "runs", "misjudged")
    for step in STEPS:
        if runs[step]:
            count = sum(pair[0] is step for pair in solutions)
            table.add_row(step.folder, str(count), str(runs[step]), str(misses[step]))
    console.print(table)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
