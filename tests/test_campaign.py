"""The campaign of benchmarks/reliability: its limits catch what they are for, and a part of its damaged files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches processes by what Linux tells of them")
def test_damaged_files_of_every_format_are_read_or_refused():
    words = [sys.executable, str(ROOT / "benchmarks" / "reliability"), "files", "--inputs", "3", "--seed", "2"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, re.findall(r"^failure: .*", done.stdout, re.MULTILINE) or done.stderr
    assert len(re.findall(r"^\| [a-z0-9-]+ \| 3 \|", done.stdout, re.MULTILINE)) == 27
