"""Is each answer judged the same each time? `python -m tests.often [TIMES] [N …]` prints a table.

Every wrong and every right answer of the steps is checked so many times, in an order drawn anew
each time, three at a time for each core. What is judged otherwise is printed.
"""

import os
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.house.test_mistakes import RIGHT, WRONG, held_to, source, verdict_on, wrong_answer
from workshop.steps import STEPS

AT_A_TIME = 3 * os.cpu_count()


def judged(step, answer):
    """Check an answer, a mistake's name or a path; return what is wrong with the verdict, or ""."""
    wrong = isinstance(answer, str)
    text = wrong_answer(step, answer) if wrong else source(answer)
    with tempfile.TemporaryDirectory() as folder:
        verdict = verdict_on(step, text, Path(folder), held_to(step, answer) if wrong else None)
    explanation = verdict.explanation or {}
    rightly = explanation.get("Mistake") == answer if wrong else verdict.green
    return "" if rightly else explanation


def main(times=50, *numbers):
    """Print the table; return the exit status."""
    answers = [pair for pair in WRONG + RIGHT if not numbers or pair[0].number in numbers]
    runs, misses, console = Counter(), Counter(), Console(soft_wrap=True, highlight=False)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for number in range(1, times + 1):
            drawn = random.sample(answers, len(answers))
            verdicts = pool.map(lambda pair: judged(*pair), drawn)
            for (step, answer), amiss in zip(drawn, verdicts, strict=True):
                runs[step] += 1
                if amiss:
                    misses[step] += 1
                    console.print(f"{step.folder} {getattr(answer, 'stem', answer)}: {amiss}")
            console.print(f"{number} of {times}: {sum(misses.values())} judged otherwise")
    table = Table("step", "answers", "runs", "judged otherwise")
    for step in STEPS:
        if runs[step]:
            count = sum(pair[0] is step for pair in answers)
            table.add_row(step.folder, str(count), str(runs[step]), str(misses[step]))
    console.print(table)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
