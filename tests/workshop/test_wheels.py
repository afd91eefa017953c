"""setup --wheels: what is fetched for which system."""

import subprocess
from types import SimpleNamespace

import pytest

from workshop import wheels


@pytest.fixture
def asked(monkeypatch):
    """The pip commands that are run; none is, really, and those for Python 3.14 fail."""
    commands = []

    def run(command, **settings):
        commands.append(command)
        failed = "3.14" in command
        return SimpleNamespace(returncode=failed, stderr="ERROR: no such wheel" * failed)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_every_system_and_python_is_seen_to_though_one_fails(asked, tmp_path, capsys):
    failed = wheels.fill(tmp_path / "wheels")
    assert len(asked) == len(wheels.SYSTEMS) * len(wheels.PYTHONS)
    assert failed == [f"{system}, Python 3.14" for system in wheels.SYSTEMS]
    assert "✗ Windows, Python 3.14: ERROR: no such wheel" in capsys.readouterr().err
    assert (tmp_path / "wheels").is_dir()


def test_each_system_gets_what_it_alone_needs(asked, tmp_path):
    wheels.fill(tmp_path)
    for command in asked:
        names = {word.partition("==")[0] for word in command if "==" in word}
        assert ("colorama" in names) == ("win_amd64" in command)
        assert ("gunicorn" in names) == ("win_amd64" not in command)
        assert {"flask", "flask-restful", "pytest", "watchfiles"} <= names


def test_here_is_for_this_computer_alone(asked, tmp_path):
    assert wheels.fill(tmp_path, here=True) == []
    (command,) = asked
    assert "--platform" not in command
