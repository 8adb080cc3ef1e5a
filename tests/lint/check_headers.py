# SPDX-License-Identifier: Apache-2.0
"""Public headers read as the manual and cross no struct, enum or varargs: check_headers.py SOURCE_ROOT"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
problems = []
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
    if "CNNF_API" in code and "@since" not in text and name != "export.h":
        problems.append(f"{name}: no @since")
print("\n".join(problems) or "headers are documented")
sys.exit(bool(problems))
