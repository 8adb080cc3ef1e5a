# SPDX-License-Identifier: Apache-2.0
"""base <- graph <- {loader, transform, serializer, evaluator}; stages never include each other: check_includes.py SOURCE_ROOT"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
LIB = root / "lib"
STAGES = ("loader", "transform", "serializer", "evaluator")
ALLOWED = {"base": {"base"}, "graph": {"base", "graph"}, "proto": {"base", "graph", "proto"}}
ALLOWED |= {stage: {"base", "graph", "proto", stage} for stage in STAGES}
# Constant folding computes with the evaluator's kernels (docs/architecture.md).
EXCEPTIONS = {("transform/fold_constants.c", "evaluator")}
POSIX = re.compile(r"#include <(unistd|fcntl|pthread|dirent|signal|sched|sys/\w+)\.h>")

problems = []
for path in sorted(LIB.rglob("*.[ch]")):
    name, text = path.relative_to(LIB).as_posix(), path.read_text()
    room = name.split("/")[0]
    for included in re.findall(r'#include "([a-z]+)/', text):
        if included in ALLOWED and included not in ALLOWED[room] and (name, included) not in EXCEPTIONS:
            problems.append(f"lib/{name} includes the room {included}")
    if name != "base/os.c":
        problems += [f"lib/{name} includes {m.group(0)[9:]}: POSIX lives in base/os.c" for m in POSIX.finditer(text)]
    if "<hdf5.h>" in text and not name.startswith("loader/hdf5/hdf5_"):
        problems.append(f"lib/{name} includes hdf5.h")
for path in sorted((root / "tools").glob("*.[ch]")):
    if re.search(r'#include "(base|graph|loader|transform|serializer|evaluator)/', path.read_text()):
        problems.append(f"tools/{path.name} bypasses the public API")
print("\n".join(problems) or "includes follow the rule")
sys.exit(bool(problems))
