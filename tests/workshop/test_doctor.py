"""doctor: a line for the instructor when all is well; each problem with what cures it."""

import errno
import importlib.metadata
import os
import re
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from workshop import checks, doctor

Distribution = namedtuple("Distribution", "name version")


def test_when_all_is_well_there_is_one_line_to_paste(laptop):
    done = laptop.run("doctor", BROWSER="true")
    assert done.returncode == 0, done.stdout + done.stderr
    line = done.stdout.splitlines()[-1]
    assert re.search(r": Python 3\.\d+\.\d+, inside \.venv, packages as pinned, .*imports \d", line)
    assert "do no harm" in line, "the laptop's path has a space, ü and 漢 in it"


def amiss():
    raise doctor.Problem("It is amiss.", "Mend it.")


def test_a_problem_comes_with_its_cure_and_status_1(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "NEEDED", (amiss, doctor.python))
    assert doctor.doctor.callback() == 1
    printed = capsys.readouterr().out
    assert "✗ It is amiss.\n  Mend it.\n" in printed
    assert "Send this line" not in printed


def test_what_only_notebooks_and_slides_want_does_not_keep_anybody_from_the_class(
    monkeypatch, capsys
):
    assert {doctor.everything, doctor.browser} == set(doctor.OPTIONAL)
    monkeypatch.setattr(doctor, "NEEDED", (doctor.python,))
    monkeypatch.setattr(doctor, "OPTIONAL", (amiss,))
    assert doctor.doctor.callback() == 0
    printed = capsys.readouterr().out
    assert "! It is amiss.\n  Mend it.\n" in printed
    assert "ready for the steps" in printed
    assert re.search(r": Python 3\.\d+\.\d+, but: It is amiss$", printed.strip())


def raising(error):
    def raises(*args, **kwargs):
        raise error

    return raises


def problem(examine):
    with pytest.raises(doctor.Problem) as found:
        examine()
    assert found.value.remedy
    return found.value.what


def test_a_version_that_is_not_pinned(monkeypatch):
    there = [Distribution("Flask", "2.0.0"), Distribution("mine", "1")]
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: there)
    assert "flask 2.0.0" in problem(doctor.packages)


def test_a_server_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", raising(TimeoutError("timed out")))
    assert "timed out" in problem(doctor.port)


def test_a_folder_that_cannot_be_written_to(monkeypatch):
    error = OSError(errno.EROFS, os.strerror(errno.EROFS))
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", raising(error))
    assert os.strerror(errno.EROFS) in problem(doctor.writing)


def test_a_disk_that_is_nearly_full(monkeypatch):
    usage = namedtuple("usage", "total used free")(2e9, 19e8, 1e8)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert "0.1 GB left" in problem(doctor.disk)


@pytest.mark.parametrize("name", ["OneDrive", "Dropbox", "Google Drive", "Mobile Documents"])
def test_a_folder_that_is_synced(name, monkeypatch):
    monkeypatch.setattr(doctor, "TOP", Path("/home/ü", name, "workshop"))
    assert name in problem(doctor.location)


def test_a_clock_that_is_years_behind(monkeypatch):
    monkeypatch.setattr(doctor.time, "time", lambda: 1e9)
    assert "before the workshop was copied" in problem(doctor.clock)


def test_imports_that_take_long(monkeypatch):
    monkeypatch.setattr(doctor.subprocess, "check_output", lambda *args, **kwargs: b"7.5\n")
    assert "7.5 s" in problem(doctor.imports)


def test_checks_that_do_not_work_here(monkeypatch):
    red = checks.Verdict(explanation={"Seen": "something odd."})
    monkeypatch.setattr(checks, "check", lambda *args: red)
    assert "something odd." in problem(doctor.solution)


def test_a_group_that_is_not_installed_yet(monkeypatch):
    monkeypatch.setattr(doctor.setup, "missing", lambda groups: groups[:1])
    assert "Not installed yet: core" in problem(doctor.everything)
