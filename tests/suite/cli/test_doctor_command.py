"""`bench doctor` on a busy machine, and its output while it checks."""

from __future__ import annotations

import json
import subprocess

from suite.actions import doctor
from suite.actions.doctor import Check
from suite.cli import doctor_command


def test_a_busy_machine_is_no_broken_installation(monkeypatch):
    def busy(*arguments, timeout, **named):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", busy)
    check = doctor._in_process("devices", "", "Install the project again")
    assert not check.ok and not check.needed
    assert "busy" in check.remedy and "Install" not in check.remedy


def test_json_is_printed_as_the_checks_end_and_is_a_list(bench, monkeypatch, capsys):
    printed = []

    def examine(*arguments, **named):
        for name in ("first", "second"):
            yield Check(name, True, "found\nmore")
            printed.append(doctor_command.sys.stdout.getvalue())

    monkeypatch.setattr(doctor_command, "examine", examine)
    result = bench("doctor", "--json")
    assert [check["name"] for check in json.loads(result.stdout)] == ["first", "second"]
    assert '"first"' in printed[0] and '"second"' not in printed[0] and '"second"' in printed[1]
    assert result.stdout.startswith('[\n {\n  "name": "first"')
