"""The campaign of benchmarks/reliability: its limits catch what they are for, and a part of its damaged files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CAMPAIGN = ROOT / "benchmarks" / "reliability"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches processes as Linux tells of them")

_SELF_CHECK = f"""
import os, sys, tempfile
sys.path.insert(0, {str(CAMPAIGN)!r})
import selfcheck
from pathlib import Path
with tempfile.TemporaryDirectory() as scratch:
    for name, (outcome, wanted) in selfcheck.run(Path(scratch), slow=False).items():
        assert outcome.kind == wanted, f"a reader that {{name}}: {{outcome.line}}"
"""


def test_readers_that_do_what_none_may_are_caught():
    done = subprocess.run([sys.executable, "-c", _SELF_CHECK], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_damaged_files_of_every_format_are_read_or_refused():
    words = [sys.executable, str(CAMPAIGN), "files", "--inputs", "6", "--no-self-check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    failures = re.findall(r"^failure: .*", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and not failures, failures or done.stderr
    assert re.search(r"\| nvidia-pickle +\| 6 \|", done.stdout) or "| nvidia-pickle | 6 |" in done.stdout
