"""What a 202 costs, and what the learner's loop takes: `python3 -m workshop bench`.

subjects.py   what is compared: own.py, seed.py and peers.py have them
measure.py    what is measured of each, in a process of its own
serving.py    the same behind gunicorn, with many clients
rounds.py     a run: all of them by turns, so that a noisy minute hits all alike
loop.py       how long the learner waits
machine.py    on which computer, with which versions
budgets.py    what was promised, beside what was measured
report.py     tables, and the figures that README, lessons and slides quote
pictures.py   pictures
figures.json  the one source of all figures
"""
