"""Files of very many names: the work grows with the file, not with its square."""

import sys
import textwrap

import pytest

from latentlab.errors import UserError
from latentlab.scorers import parse_threshold
from tests.processes import run_code

# Half a minute of the processor is ten times what each of these takes; with a comparison of every pair of names it was
# minutes.
READERS = """
    import resource, sys
    from pathlib import Path
    import numpy as np
    from latentlab.errors import UserError
    from latentlab.samples import EditTable
    from latentlab.scorers import Threshold, Thresholds
    from latentlab.scorers.attributes.data import load_labels

    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
    folder, what = Path(sys.argv[1]), sys.argv[2]
    names = [f"n{k}" for k in range(20_000 if what == "edits" else 300_000)]
    if what == "labels":
        (folder / "a.png").touch()
        (folder / "labels.csv").write_text(f"image,identity,{','.join(names)}\\na.png,1{',1' * len(names)}\\n")
        assert load_labels(folder / "labels.csv", folder).values.shape == (1, len(names))
    elif what == "edits":
        scores = np.zeros((1, 2, len(names)), np.float32)
        EditTable(np.arange(1), np.array([-1.0, 1.0]), scores, tuple(names)).save(folder / "edits.parquet")
        assert EditTable.load(folder / "edits.parquet").names == tuple(names)
    else:
        thresholds = Thresholds(tuple((name, Threshold(0.5, 0.5)) for name in names))
        thresholds.check(tuple(names))
    print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the processor's time")
@pytest.mark.parametrize("what", ["labels", "edits", "thresholds"])
def test_many_names_take_no_more_than_their_share(tmp_path, what):
    done = run_code(textwrap.dedent(READERS), tmp_path, what)
    assert done.stdout == "done\n", done.stdout + done.stderr[-2000:]


def test_thresholds_of_a_file_have_a_greatest_length():
    with pytest.raises(UserError, match="thresholds of 131072 characters, and up to 65536 are read"):
        parse_threshold("0," * (1 << 16))


def test_a_score_with_two_thresholds_is_named():
    with pytest.raises(UserError, match="each score once, .*not 'young'"):
        parse_threshold("smiling=0.5,young=0.3,young=0.4")
