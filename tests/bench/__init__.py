"""What a 202 costs, and how long learners wait: `python3 -m workshop bench`.

subjects.py   what is compared; own.py, seed.py and peers.py define it
measure.py    the measurements of one subject, in a process of its own
serving.py    the same behind gunicorn, with many clients
rounds.py     a run: the subjects take turns, so that a noisy minute affects all of them
loop.py       how long learners wait
machine.py    the computer and the versions
budgets.py    the limits that we promised, next to the figures
report.py     tables, and the figures that README, lessons and slides quote
pictures.py   pictures
figures.json  the only source of all figures
"""
