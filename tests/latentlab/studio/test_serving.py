"""How the studio is started: what is refused, what is warned of, and what is needed."""

import subprocess
import sys

import pytest

from latentlab.errors import UserError
from latentlab.studio.comparing import report_frame
from latentlab.studio.serving import StudioSettings

WITHOUT_GRADIO = (
    "import sys; sys.modules['gradio'] = None; sys.argv[1:] = {!r}; from latentlab.__main__ import main; main()"
)


def start_without_gradio(*words):
    program = WITHOUT_GRADIO.format(list(words))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)


def test_without_gradio_one_line_says_what_to_install(tmp_path):
    ended = start_without_gradio("studio", "--out", str(tmp_path / "kept"))
    assert ended.returncode == 2
    assert ended.stderr.strip().endswith("the page needs Gradio: pip install 'latentlab-gan[studio]'")
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("given", [{"port": 0}, {"port": 70_000}, {"password": ""}])
def test_settings_that_cannot_be_are_refused(given):
    with pytest.raises(UserError):
        StudioSettings(**given)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("mine.org", False)]
)
def test_which_hosts_are_this_machine_alone(host, local):
    assert StudioSettings(host=host).is_local == local


def test_a_report_is_framed_and_cut_off(tmp_path):
    path = tmp_path / "report.html"
    path.write_text('<!doctype html><html><h1>A "title"</h1><script>alert(1)</script></html>')
    frame = report_frame(path)
    assert "<script>" not in frame
    assert "sandbox srcdoc=" in frame
    assert frame.index("Content-Security-Policy") < frame.index("script")


@pytest.mark.parametrize("content", [b"no report", b"\xff\xfe\x00", b"<!doctype html><p>x"])
def test_what_is_no_report_is_refused_by_its_name(content, tmp_path):
    path = tmp_path / "report.html"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        report_frame(path)
    assert str(error.value).startswith("report.html")
    assert str(tmp_path) not in str(error.value)
