# SPDX-License-Identifier: Apache-2.0
"""The exported symbols are the map, the map is the headers: check_symbols.py SOURCE_ROOT LIBRARY.so"""
import re
import subprocess
import sys
from pathlib import Path

root, library = Path(sys.argv[1]), sys.argv[2]
declared = set()
for header in (root / "include/cnnfreeze").glob("*.h"):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    declared |= set(re.findall(r"CNNF_API\s[^;(]*?\b(cnnf_\w+)\s*\(", text))
map_text = re.sub(r"/\*.*?\*/", "", (root / "lib/cnnfreeze.map").read_text(), flags=re.S)
mapped = re.findall(r"\b(cnnf_\w+);", map_text)
exported = {line.split()[-1].split("@")[0] for line in
            subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout.splitlines()
            if " A " not in line}
problems = [f"twice in the map: {s}" for s in set(mapped) if mapped.count(s) > 1]
problems += [f"in a header, not in the map: {s}" for s in sorted(declared - set(mapped))]
problems += [f"in the map, in no header: {s}" for s in sorted(set(mapped) - declared)]
problems += [f"in the map, not exported: {s}" for s in sorted(set(mapped) - exported)]
problems += [f"exported, not in the map: {s}" for s in sorted(exported - set(mapped))]
print("\n".join(problems) or f"{len(mapped)} symbols agree")
sys.exit(bool(problems))
