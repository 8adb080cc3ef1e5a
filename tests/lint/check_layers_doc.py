# SPDX-License-Identifier: Apache-2.0
"""A generated document (docs/layers.md, docs/ops.md) must be what its program prints; --write makes it so."""
import subprocess
import sys

command, document = sys.argv[1:3]
current = subprocess.run([command], capture_output=True, text=True, check=True).stdout
if "--write" in sys.argv:
    open(document, "w", encoding="utf-8").write(current)
try:
    written = open(document, encoding="utf-8").read()
except FileNotFoundError:
    written = ""
if written != current:
    sys.exit(f"{document} is behind the table: run {sys.argv[0]} {command} {document} --write")
