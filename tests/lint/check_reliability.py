# SPDX-License-Identifier: Apache-2.0
"""docs/reliability.md names the test that holds each promise: whether there is one of that name.

    check_reliability.py ROOT

In the table of promises every word between backticks in the column "proof" is a path (tests/..., lib/...; the extension
may be left out), a test program, or a test in one. Elsewhere in the page paths alone are checked.
"""
import glob
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
page = (root / "docs/reliability.md").read_text()
sources = [p for p in (root / "tests").rglob("*") if p.suffix in (".c", ".py", ".sh") and p.is_file()]
stems = {p.stem for p in sources}
names = set()
for path in sources:
    names |= set(re.findall(r"(?:START_TEST\(|^\s*def )(\w+)", path.read_text(errors="replace"), re.M))


def is_path(word):
    return re.match(r"(tests|lib|docs)/", word)


def path_exists(word):
    return any(glob.glob(f"{root}/{word}{ending}") for ending in ("", ".c", ".py", ".sh", ".h"))


def test_exists(word):
    stem = re.sub(r"\.(c|py)$", "", word)
    return stem in stems or stem in names


wrong = []
promises = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
rows = [line.strip("|").split("|") for line in promises[1:]]
proofs = [cells[1] for cells in rows if len(cells) == 2]
if len(proofs) < 10:
    sys.exit("docs/reliability.md: the table of promises is not found")
for proof in proofs:
    words = re.findall(r"`([^`]+)`", proof)
    if not words:
        wrong.append(f"no test is named: {proof.strip()}")
    for word in words:
        if is_path(word):
            if not path_exists(word):
                wrong.append(f"no such file: {word}")
        elif re.fullmatch(r"[a-z]\w*(\.c|\.py)?", word) and not test_exists(word):
            wrong.append(f"no such test: {word}")
for word in re.findall(r"`((?:tests|lib)/[\w./*-]+)`", page):
    if not path_exists(word):
        wrong.append(f"no such file: {word}")
for line in sorted(set(wrong)):
    print(f"docs/reliability.md: {line}")
sys.exit(bool(wrong))
