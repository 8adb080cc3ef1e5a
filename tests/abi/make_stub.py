# SPDX-License-Identifier: Apache-2.0
"""A C file that defines every public function with an empty body: make_stub.py SOURCE_ROOT

Nothing but opaque handles and scalars crosses the ABI, so the headers are all of it; a library made of this file has the
same ABI as the real one (tests/lint/check_symbols.py holds headers, map and library together), whatever that is built with.
"""
import re
import sys
from pathlib import Path

print("#include <cnnfreeze/cnnfreeze.h>")
for header in sorted((Path(sys.argv[1]) / "include/cnnfreeze").glob("*.h")):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    for prototype in re.findall(r"CNNF_API\s([^;]*?\bcnnf_\w+\s*\([^;]*\));", text):
        print(" ".join(prototype.split()) + " { __builtin_trap(); }")
