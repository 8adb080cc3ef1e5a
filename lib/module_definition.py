#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The symbol map as Windows' linkers want it: module_definition.py MAP OUTPUT."""
import re
import sys

text = re.sub(r"/\*.*?\*/", "", open(sys.argv[1], encoding="ascii").read(), flags=re.S)
with open(sys.argv[2], "w", encoding="ascii") as out:
    out.write("EXPORTS\n")
    for name in re.findall(r"\b(cnnf_\w+);", text):
        out.write(f"  {name}\n")
