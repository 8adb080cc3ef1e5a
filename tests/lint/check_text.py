# SPDX-License-Identifier: Apache-2.0
"""Small rules for every text file of the project: check_text.py SOURCE_ROOT"""
import re
import subprocess
import sys
from pathlib import Path

root = Path(sys.argv[1])
# Not git's list alone: an unpacked release has no repository.
listed = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True)
files = [root / f for f in listed.stdout.splitlines()] if listed.returncode == 0 else \
    [p for p in root.rglob("*") if p.is_file() and not any(part.startswith(("build", ".git")) for part in p.relative_to(root).parts)]
TEXT = {".c", ".h", ".py", ".sh", ".md", ".build", ".txt", ".proto", ".map", ".in", ".1"}
problems = []
for path in files:
    if path.suffix not in TEXT or not path.is_file():
        continue
    name, text = path.relative_to(root).as_posix(), path.read_text(errors="replace")
    if name.startswith("tests/golden/"):
        continue
    if path.suffix in {".c", ".h", ".py"} and "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
        problems.append(f"{name}: no licence line")
    if re.search(r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bXX" + r"X\b", text):
        problems.append(f"{name}: an open end")
    made = "/* Made by " in text[:200]
    if path.suffix in {".c", ".h"}:
        for number, line in enumerate(text.splitlines(), 1):
            if "\t" in line or line != line.rstrip():
                problems.append(f"{name}:{number}: tab or trailing space")
            if len(line) > 130 and not made:
                problems.append(f"{name}:{number}: {len(line)} columns")
    if text and not text.endswith("\n"):
        problems.append(f"{name}: no newline at the end")
print("\n".join(problems[:60]) or f"{len(files)} files in order")
sys.exit(bool(problems))
