# SPDX-License-Identifier: Apache-2.0
"""Public headers read as the manual and cross no struct, enum or varargs: check_headers.py SOURCE_ROOT

What can fail gives a cnnf_status and takes a cnnf_error last, which it clears first; out-parameters come first.
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
problems = []
OUT = re.compile(r"^(int32_t|int64_t|uint64_t|size_t|double) \*|^(const )?\w+ \*\*")


def check_order(name, arguments):
    """Out-parameters stand before everything else."""
    places = [bool(OUT.match(argument.strip())) for argument in arguments]
    return [] if places == sorted(places, reverse=True) else [f"{name}: an out-parameter behind other arguments"]


clears = set()
for source in (root / "lib").rglob("*.c"):
    clears |= set(re.findall(r"^cnnf_status (cnnf_\w+)\([^{;]*\)\n\{\n    cnnf_error_clear\(error\);", source.read_text(), re.M))
for header in sorted((root / "include/cnnfreeze").glob("*.h")):
    name, text = header.name, header.read_text()
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    if name != "export.h" and name != "cnnfreeze.h" and "Thread-safety:" not in text:
        problems.append(f"{name}: no Thread-safety: line")
    if re.search(r"\bstruct\s+\w*\s*\{|\benum\b|\bunion\b", code):
        problems.append(f"{name}: a public struct, enum or union")
    if re.search(r"\.\.\.\s*\)|\bva_list\b|\binline\b|\b_Bool\b|\bbool\b|\blong\b|\bFILE\b|\bssize_t\b|\boff_t\b", code):
        problems.append(f"{name}: something that ctypes cannot call")
    for match in re.finditer(r"CNNF_API\s[^;(]*?\b(cnnf_\w+)\s*\([^;]*;([^\n]*)", text):
        before = text[:match.start()].rstrip()
        documented = before.endswith("*/") or "/**<" in match.group(2)
        # A group of declarations shares the comment above its first one.
        if not documented and not re.search(r";[^\n]*$", before):
            problems.append(f"{name}: {match.group(1)} has no comment")
    for result, function, arguments in re.findall(r"CNNF_API\s+(?:const )?(\w+)\s\*?(cnnf_\w+)\s*\(([^;]*)\);", code):
        arguments = arguments.split(",")
        problems += [f"{name}: {p}" for p in check_order(function, arguments)]
        if result != "cnnf_status" or function == "cnnf_error_code":
            continue
        if arguments[-1].strip() != "cnnf_error *error":
            problems.append(f"{name}: {function} can fail and takes no cnnf_error last")
        if function not in clears:
            problems.append(f"{name}: {function} does not clear the error first")
    if "CNNF_API" in code and "@since" not in text and name != "export.h":
        problems.append(f"{name}: no @since")
print("\n".join(problems) or "headers are documented")
sys.exit(bool(problems))
