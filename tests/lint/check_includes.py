# SPDX-License-Identifier: Apache-2.0
"""Data flows one way through the rooms (docs/architecture.md): check_includes.py SOURCE_ROOT

Holds the include rule between rooms, finds circles of files inside a room, and wants every base name once in lib/.
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
LIB = root / "lib"
BELOW = {"base": set()}
BELOW["graph"] = {"base"}
BELOW["proto"] = BELOW["ops"] = {"base", "graph"}
BELOW["edit"] = {"base", "graph", "proto", "ops"}
STAGES = ("loader", "transform", "serializer", "inspect", "evaluator")
for stage in STAGES:
    BELOW[stage] = BELOW["edit"] | {"edit"}
BELOW["evaluation"] = BELOW["edit"] | {"edit", "evaluator"}
# Constant folding computes with the evaluator's kernels; a second implementation of every op would be a second set of bugs.
EXCEPTIONS = {("transform/rewrite/fold_constants.c", "evaluator/kernels/kernel.h"),
              # Calibration runs what the passes of the quantizer have made, batch by batch.
              ("evaluation/quantizer.h", "transform/quantize/quantize.h"),
              ("evaluation/quantizer.h", "transform/quantize/int8.h")}
SYSTEM = re.compile(r"#include <(unistd|fcntl|pthread|dirent|signal|sched|poll|time|io|process|windows|sys/\w+)\.h>")
INCLUDE = re.compile(r'#include "([^"]+)"')

problems = []
sources = {p.relative_to(LIB).as_posix(): p.read_text() for p in sorted(LIB.rglob("*.[ch]"))}
includes = {name: [i for i in INCLUDE.findall(text) if i in sources] for name, text in sources.items()}

for name, text in sources.items():
    room = name.split("/")[0]
    for included in includes[name]:
        other = included.split("/")[0]
        if other != room and other not in BELOW[room] and (name, included) not in EXCEPTIONS:
            problems.append(f"lib/{name} includes {included}: {room} lies below {other} or beside it")
    if not name.startswith("base/os"):
        problems += [f"lib/{name} includes {m.group(0)[9:]}: system calls live in base/os.c and os_windows.c" for m in SYSTEM.finditer(text)]
    if "<hdf5.h>" in text and not name.startswith("loader/hdf5/"):
        problems.append(f"lib/{name} includes hdf5.h")

# The command's are in one place, too; <signal.h> is C.
for p in sorted((root / "tools").glob("*.[ch]")):
    if not p.name.startswith("host"):
        problems += [f"tools/{p.name} includes {m.group(0)[9:]}: system calls live in tools/host.c and host_windows.c"
                     for m in SYSTEM.finditer(p.read_text()) if m.group(1) != "signal"]

# Inside the evaluator, plan and run know the back ends by one header each of theirs.
BACKENDS = ("evaluator/kernels/", "evaluator/fused/", "evaluator/onednn/")
DOORS = {"evaluator/kernels/kernel.h", "evaluator/plan/fuse.h"}
for name in includes:
    if name.startswith(("evaluator/plan/", "evaluator/run/")):
        problems += [f"lib/{name} includes {i}: plan and run know back ends through kernel.h and fuse.h alone"
                     for i in includes[name] if i.startswith(BACKENDS) and i not in DOORS]

# Circles: a source file stands for its header, so that a.c -> b.h, b.c -> a.h is one. A leaf that its parent alone includes
# may look back at the parent.
def unit(name):
    if re.match(r"base/os(_common|_windows)?\.", name):
        return "base/os"  # one header, two systems and what they share
    return "ops/generated" if name.startswith("ops/generated/") else name.rsplit(".", 1)[0]

arrows = {}
for name, found in includes.items():
    arrows.setdefault(unit(name), set()).update(unit(i) for i in found if unit(i) != unit(name))

includers = {}
for name, there in arrows.items():
    for other in there:
        includers.setdefault(other, set()).add(name)
for leaf, parents in includers.items():
    if len(parents) == 1:
        arrows.get(leaf, set()).difference_update(parents)

def circle(start):
    """The shortest way from `start` back to itself; None."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop(0)
        for there in sorted(arrows.get(way[-1], ())):
            if there == start:
                return way + [start]
            if there not in seen:
                seen.add(there)
                ways.append(way + [there])
    return None

told = set()
for name in sorted(arrows):
    way = circle(name)
    if way and frozenset(way) not in told:
        told.add(frozenset(way))
        problems.append("a circle: " + " -> ".join(way))

names = {}
for name in sources:
    names.setdefault(name.rsplit("/", 1)[1], []).append(name)
problems += [f"the name {base} is there {len(where)} times: {', '.join(where)}" for base, where in names.items() if len(where) > 1]

for path in sorted((root / "tools").glob("*.[ch]")):
    if re.search(r'#include "(base|graph|proto|ops|edit|loader|transform|serializer|inspect|evaluator|evaluation)/', path.read_text()):
        problems.append(f"tools/{path.name} bypasses the public API")
print("\n".join(problems) or "includes follow the rule")
sys.exit(bool(problems))
