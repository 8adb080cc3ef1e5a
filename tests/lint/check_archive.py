# SPDX-License-Identifier: Apache-2.0
"""The static library defines no name outside cnnf_ and cnnfi_: check_archive.py LIBRARY.a"""
import subprocess
import sys

lines = subprocess.run(["nm", "-A", "--defined-only", "--extern-only", sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines()
names = {line.split()[-1] for line in lines}
foreign = sorted(n for n in names if not n.startswith(("cnnf_", "cnnfi_")))
print("\n".join(f"the static library defines {n}" for n in foreign) or f"{len(names)} names are ours")
sys.exit(bool(foreign) or len(names) < 100)
