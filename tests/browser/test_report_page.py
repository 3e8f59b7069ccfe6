"""The report in a real, headless Chromium: whole, quiet, and no wider than a phone."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import pytest
from report_example import AS_OF, config, example_inputs

from pipelines.report import ReportInputs, summarize
from pipelines.report import page as render
from pipelines.report.figures import forecasts as figures

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
)

# The page itself forbids scripts, so it is looked at from outside, in a frame of the width asked.
PROBE = """<!DOCTYPE html><meta charset="utf-8"><body>
<iframe id="page" width="{width}" height="900" style="border:0" srcdoc="{page}"></iframe>
<pre id="found"></pre>
<script>
document.getElementById("page").onload = (event) => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const shown = [...page.images];
  const wide = [...page.querySelectorAll("body *")].filter((e) => !e.closest(".table") &&
    e.getBoundingClientRect().right > root.clientWidth + 1);
  const style = (e) => event.target.contentWindow.getComputedStyle(e);
  document.getElementById("found").textContent = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth,
    wide: wide.map((e) => e.tagName + "." + e.className).slice(0, 5),
    images: shown.length,
    broken: shown.filter((i) => !i.complete || i.naturalWidth === 0).length,
    clipped: [...page.querySelectorAll(".table")].filter(
      (t) => t.scrollWidth > t.clientWidth && style(t).overflowX !== "auto").length,
    headline: page.querySelector("#accuracy").getBoundingClientRect().top,
    cards: [...page.querySelectorAll(".card")].map((c) => c.getBoundingClientRect().bottom),
    smallest: Math.min(...[...page.querySelectorAll("p, li, td, th")].map(
      (e) => parseFloat(style(e).fontSize))),
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def chromium():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on PATH (on Debian: apt-get install chromium)")
    assert path, "CI needs Chromium on PATH"
    return path


@pytest.fixture(scope="module", params=["full", "empty"])
def page(request):
    """A full report, and one that had nothing to show."""
    empty = ReportInputs(terms=config().terms, as_of=AS_OF)
    summary = summarize(example_inputs() if request.param == "full" else empty)
    return render.html(summary, figures.draw_all(summary)), len(summary["charts"])


def look(chromium: str, page: str, width: int, folder) -> tuple[dict, list[str]]:
    probe = folder / "probe.html"
    probe.write_text(PROBE.format(width=width, page=html.escape(page)), encoding="utf-8")
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", probe.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page never finished loading: {done.stderr[-2000:]}"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


@pytest.mark.parametrize("width", [1280, 390])
def test_report_is_whole_quiet_and_fits(chromium, page, width, tmp_path):
    content, charts = page
    found, console = look(chromium, content, width, tmp_path)
    assert console == []
    assert found["images"] == charts
    assert found["broken"] == 0
    assert found["overflow"] <= 0, found["wide"]
    assert found["wide"] == []
    assert found["clipped"] == 0
    assert found["smallest"] >= 12
    assert len(found["cards"]) == 3
    assert max(found["cards"]) < 900, "what is forecast must be on the first screen"


def test_the_probe_sees_faults(chromium, tmp_path):
    """The check above can fail: a page too wide, with a broken picture and a blocked script."""
    broken = (
        "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
        "<section id='accuracy'><p style='width:600px'>wide</p><img src='data:image/png,x'>"
        "</section><script>1</script>"
    )
    found, console = look(chromium, broken, 390, tmp_path)
    assert found["overflow"] > 0
    assert found["broken"] == 1
    assert found["wide"]
    assert console
