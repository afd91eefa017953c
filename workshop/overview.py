"""Without a command: the steps, the learner's current one, and what to do next."""

from workshop import COMMAND, progress
from workshop.screen import console, status
from workshop.steps import STEPS, shown


def show_overview():
    console.print("Slow Flask endpoints, immediate responses\n", style="bold")
    with status("Checking your progress …"):
        green = [step for step in STEPS if progress.is_green(step)]
    current = progress.current(is_done=green.__contains__)
    for step in STEPS:
        mark, style = ("·", "")
        if step in green:
            mark, style = ("✓", "green")
        elif step is current:
            mark, style = ("→", "bold")
        title = f"{step.title:29}{step.minutes:4} min"
        after = " (after the class)" if step.after_class else ""
        row = f"{mark}  {step.number}  {title}  {shown(step.app.parent)}{after}"
        console.print(row, style=style)
    console.print()
    if current and current.after_class:
        console.print("This step comes after the class, for you to do on your own.\n")
    if current:
        console.print(f"Next: read {shown(current.lesson)}")
        console.print(f"      change {shown(current.app)}")
        console.print(f"      then check it: {COMMAND} check {current.number}")
        console.print(f"      or have it checked at every save: {COMMAND} watch")
        console.print(f"\nAll commands: {COMMAND} --help")
    else:
        console.print("All steps are green. Our solutions are in solutions/.")
