"""How the program ends, as a process: one line and an exit code, at any moment, with any streams and little memory."""

import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import make_tiny

import stylegan2
from latentlab.cli.endings import single_line

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

LATENTLAB = [sys.executable, "-m", "latentlab"]
LIST = [*LATENTLAB, "weights", "list"]
WRONG = [*LATENTLAB, "weights", "lst"]
INTERRUPTED = (130, -signal.SIGINT)  # -SIGINT: before the program can say so


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("endings") / "tiny.safetensors"
    stylegan2.save(make_tiny(), path)
    return path


def generate(network, out, seeds="1"):
    return [*LATENTLAB, "generate", "--network", str(network), "--seeds", seeds, "--out", str(out)]


@pytest.mark.parametrize("module", ["latentlab.cli.endings", "typer", "torch._C"])
def test_ctrl_c_while_the_program_starts(network, tmp_path, module):
    """Python reports each module that it has imported; what it is imported by goes on."""
    words = generate(network, tmp_path, "0-5000")
    process = subprocess.Popen(
        [words[0], "-X", "importtime", *words[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = False
    for line in process.stderr:
        if re.search(rf"\| +{re.escape(module)}$", line):
            seen = True
            break
    process.send_signal(signal.SIGINT)
    try:
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert seen
    assert process.returncode in INTERRUPTED, told
    assert "Traceback" not in told and "Exception ignored" not in told
    if process.returncode == 130:
        assert told.splitlines()[-1] == "latentlab: interrupted; run the same command again to resume"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_standard_streams_that_take_nothing():
    with open("/dev/full", "w") as full:
        done = subprocess.run(LIST, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr == "latentlab: cannot write to standard output: No space left on device\n"
        done = subprocess.run(WRONG, stdout=subprocess.PIPE, stderr=full, text=True)
        assert (done.returncode, done.stdout) == (2, "")


def test_standard_streams_that_are_closed():
    done = subprocess.run(["sh", "-c", f"{' '.join(LIST)} >&- <&-"], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(["sh", "-c", f"{' '.join(WRONG)} 2>&-"], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder in use cannot be removed")
def test_a_working_folder_that_is_gone(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd '{gone}' && rmdir '{gone}' && PYTHONPATH='{os.environ.get('PYTHONPATH', '')}' {' '.join(LIST)}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("latentlab: the working folder is not there any more")


def test_a_reader_that_leaves_is_left_in_silence():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(LIST, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory has no such limit")
@pytest.mark.parametrize("megabytes", [80, 400, 1200])
def test_little_memory(network, tmp_path, megabytes):
    import resource

    limit = megabytes * 10**6
    done = subprocess.run(
        generate(network, tmp_path),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("latentlab: not enough memory: ")
    assert "Traceback" not in done.stderr


def test_a_poor_environment(network, tmp_path):
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if name in os.environ}
    poor = {"LC_ALL": "C", "COLUMNS": "20", "PYTHONUTF8": "0", "TERM": "dumb"}
    words = " ".join(generate(network, tmp_path / "out"))
    done = subprocess.run(["sh", "-c", f"{words} <&-"], capture_output=True, text=True, env={**kept, **poor})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "seed000001.png").exists()
    poor["PYTHONOPTIMIZE"] = "2"
    done = subprocess.run(LIST, capture_output=True, text=True, env={**kept, **poor})
    assert done.returncode == 0 and "mobile-ffhq" in done.stdout, done.stderr


# --- what is printed ----------------------------------------------------------------------------------------

ESCAPE = "a\x1b[31mb\rc\nd\x9be\u202ef"


def test_names_are_printed_without_codes_of_the_terminal(refused, run, network, tmp_path):
    line = refused("generate", "--network", tmp_path / f"{ESCAPE}.pkl", "--seeds", "1", "--out", tmp_path)
    assert line.isprintable() and r"a\x1b[31mb\rc\nd\x9be\u202ef.pkl" in line
    code, out, err = run("generate", "--network", network, "--seeds", "1", "--out", tmp_path / ESCAPE)
    assert code == 0, err
    assert r"a\x1b[31mb\rc" in out and all(line.isprintable() for line in out.splitlines())


def test_names_that_are_too_long_for_a_file(refused, tmp_path):
    name = tmp_path / ("a" * 5000)
    for words in (["align", name], ["translate", "apply", "vintagify", name], ["metrics", "folders", name, name]):
        line = refused(*words, "--out", tmp_path / "out")
        assert ("ile name too long" in line or "there is no folder" in line) and len(line) < 2100


def test_pipes_are_refused_at_once(refused, run, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe.csv is a named pipe" in refused(
        "align", "x.png", "--landmarks", tmp_path / "pipe.csv", "--out", tmp_path / "out"
    )


def test_a_line_of_an_error():
    assert single_line("a\r\nb\x85c\x00d\ud800") == "a b c\\x00d\\ud800"
    assert len(single_line("x" * 10**6)) <= 2000
