"""How long the studio takes: from the command to the page, and from a slider to its image, in a real browser.

    python benchmarks/studio.py --moves 40 --sessions 1 --sessions 4

Needs the packages gradio and selenium, and Chromium with its chromedriver. Printed are the seconds from `latentlab
studio` to its address, and to eight faces in the browser; and for each number of sessions, all moving sliders at
once without a pause, the median and the 95th percentile of the milliseconds from a slider's move to the new image.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import numpy as np
import typer
from machine import describe
from selenium import webdriver

PATIENCE = 120  # seconds
# The time is taken in the page: what drives it would add its own.
_MOVE = """
const [name, share, done] = arguments, view = document.querySelector('#ll-view');
const slider = document.querySelector(`#ll-slider-${name} input[type=range]`);
const image = () => view.querySelector('img') ? view.querySelector('img').src : '';
const before = image(), start = performance.now();
const watch = new MutationObserver(() => {
  if (image() !== before) { watch.disconnect(); done(performance.now() - start); }
});
watch.observe(view, {subtree: true, childList: true, attributes: true});
slider.value = +slider.min + share * (slider.max - slider.min);
slider.dispatchEvent(new Event('input', {bubbles: true}));
"""


@contextmanager
def studio() -> Any:
    """The address of a studio, and the seconds that it took."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "latentlab", "studio", "--no-browser", "--port", str(port), "--out", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "http://" in line)
            try:
                yield line.split()[4], time.perf_counter() - start
            finally:
                process.terminate()


def open_page(address: str) -> Any:
    """A browser with the page and its first faces."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE)
    driver.get(address)
    _wait(lambda: len(driver.find_elements("css selector", "#ll-grid button img")) >= 8)
    return driver


def _wait(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            sys.exit("the page does not come")
        time.sleep(0.05)


def move(driver: Any, seed: int, moves: int) -> list[float]:
    """Milliseconds from each move of a slider to its image."""
    driver.execute_script("arguments[0].click()", driver.find_elements("css selector", "#ll-grid button img")[seed])
    _wait(lambda: driver.find_elements("css selector", "#ll-figures dd"))
    rng = np.random.default_rng(seed)
    # Places along the sliders, no two of which are equal: where a slider stays, no image comes.
    shares = rng.permutation(np.linspace(0, 1, moves + 3))
    names = rng.choice(["smile", "age", "gender", "make-up"], moves + 3)
    taken = [driver.execute_async_script(_MOVE, *one) for one in zip(names.tolist(), shares.tolist(), strict=True)]
    return taken[3:]  # the first ones load what all later ones have


def main(
    moves: Annotated[int, typer.Option(min=2, help="Moves of each session.")] = 40,
    sessions: Annotated[list[int] | None, typer.Option(help="Numbers of sessions.")] = None,
) -> None:
    """Print the times."""
    print(describe("torch", "gradio"))
    with studio() as (address, seconds), ExitStack() as stack:
        print(f"address after {seconds:.1f} s")
        drivers: list[Any] = []
        for count in sessions or [1, 4]:
            while len(drivers) < count:
                start = time.perf_counter()
                drivers.append(open_page(address))
                stack.callback(drivers[-1].quit)
                if len(drivers) == 1:
                    print(f"faces in the browser after {time.perf_counter() - start:.1f} s more, its own start in it")
            with ThreadPoolExecutor(count) as pool:
                found = list(pool.map(move, drivers[:count], range(count), [moves] * count))
            median, most = np.percentile(np.concatenate(found), [50, 95])
            print(f"{count} sessions: median {median:.0f} ms, 95th percentile {most:.0f} ms, {count * moves} moves")


if __name__ == "__main__":
    typer.run(main)
