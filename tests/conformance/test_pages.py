# SPDX-License-Identifier: Apache-2.0
"""Pages that the command writes, in a browser: opened from disk, no console message, no request, nothing of a file runs.

Needs Debian's chromium (tests/install_deps.sh --conformance); skipped where it is absent.
"""
import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from urllib.parse import urlparse

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build")) / "tools/cnnfreeze"
DATA = ROOT / "examples/data"
EVIL = "<script>document.title='owned'</script><img src=http://127.0.0.1:9/x onerror=\"document.title='owned'\">'\"&"
BROWSER = shutil.which("chromium")
# What the browser asks for by itself, whatever page is open.
OWN_HOSTS = {"clients2.google.com", "update.googleapis.com", "accounts.google.com", "clientservices.googleapis.com",
             "content-autofill.googleapis.com", "optimizationguide-pa.googleapis.com", "android.clients.google.com", "mtalk.google.com"}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND"]
needs_browser = pytest.mark.skipif(not BROWSER, reason="chromium is not installed")


def cnnfreeze(*arguments):
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def browse(page, folder, *flags):
    """(DOM, console messages, URLs asked for) of a page opened from disk."""
    log = folder / "net.json"
    done = subprocess.run([BROWSER, *FLAGS, f"--user-data-dir={folder}/profile", f"--log-net-log={log}", *flags, "--dump-dom",
                           page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    urls = {e["params"]["url"] for e in json.loads(log.read_text())["events"]
            if isinstance(e.get("params"), dict) and e["params"].get("url", "").startswith(("http", "ws", "ftp"))}
    return done.stdout, console, {u for u in urls if urlparse(u).hostname not in OWN_HOSTS}


def screenshot(page, path, width, height, *flags):
    subprocess.run([BROWSER, *FLAGS, f"--user-data-dir={path.parent}/profile", *flags, f"--window-size={width},{height}",
                    f"--screenshot={path}", page.as_uri()], capture_output=True, check=True, timeout=120)
    head = path.read_bytes()[:24]
    return struct.unpack(">II", head[16:24])


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    cnnfreeze("freeze", DATA / "keras_trained_model.h5", folder / "frozen.pb")
    cnnfreeze("transform_graph", f"--in_graph={folder}/frozen.pb", f"--out_graph={folder}/rough.pb", "--inputs=input_1",
              "--outputs=activation_6/Softmax", "--transforms=round_weights(num_steps=6)")
    return folder


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "names.txt"
    path.write_text("".join(f"{EVIL}{i}\n" for i in range(10)))
    return path


def evaluate(graphs, report, *flags):
    return cnnfreeze("evaluate", f"--graph={graphs}/frozen.pb", f"--against={graphs}/rough.pb",
                     f"--dataset={DATA / 'digits_test.csv'}", f"--report={report}", *flags)


@needs_browser
def test_the_browser_tells(tmp_path):
    """What the next tests look for is seen where it is there."""
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><title>x</title><img src=http://127.0.0.1:9/x><script>console.log('said')</script>")
    dom, console, urls = browse(page, tmp_path)
    assert any("said" in line for line in console) and "http://127.0.0.1:9/x" in urls and "<img" in dom


@needs_browser
@pytest.mark.parametrize("flags", [[], ["--report_pictures=0"]], ids=["pictures", "none"])
def test_report(graphs, names, tmp_path, flags):
    page = tmp_path / "out.html"
    evaluate(graphs, page, f"--label_names={names}", *flags)
    dom, console, urls = browse(page, tmp_path)
    assert not console and not urls
    assert "<title>Evaluation of frozen.pb</title>" in dom and "owned'</title>" not in dom
    assert "<script" not in dom.lower() and "99.25" in dom and "99.00" in dom
    assert ("data:image/png" in dom) == (not flags)
    assert screenshot(page, tmp_path / "light.png", 1280, 900) == (1280, 900)
    assert screenshot(page, tmp_path / "dark.png", 1280, 900, "--blink-settings=preferredColorScheme=0") == (1280, 900)
    assert (tmp_path / "light.png").read_bytes() != (tmp_path / "dark.png").read_bytes()


@needs_browser
def test_report_on_paper(graphs, names, tmp_path):
    page, paper = tmp_path / "out.html", tmp_path / "out.pdf"
    evaluate(graphs, page, f"--label_names={names}")
    subprocess.run([BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/profile", f"--print-to-pdf={paper}", page.as_uri()],
                   capture_output=True, check=True, timeout=120)
    assert paper.read_bytes()[:5] == b"%PDF-"


def test_report_json_fits_its_schema(graphs, names, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for flags in [], ["--report_pictures=0"], [f"--label_names={names}"]:
        evaluate(graphs, tmp_path / "out.json", *flags)
        found = json.loads((tmp_path / "out.json").read_text())
        jsonschema.validate(found, schema)
        assert [run["accuracy"] for run in found["runs"]] == [0.9925, 0.99]
    del found["runs"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)
