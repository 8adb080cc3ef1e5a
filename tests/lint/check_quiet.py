# SPDX-License-Identifier: Apache-2.0
"""The library never prints, exits, aborts or reads the environment, and keeps no mutable globals: check_quiet.py LIBRARY.a"""
import re
import subprocess
import sys

FORBIDDEN = set("""printf vprintf fprintf vfprintf puts fputs putchar perror exit _exit abort __assert_fail getenv secure_getenv
    setlocale localeconv system popen signal sigaction strtok rand srand random gets sprintf strcpy strcat alloca umask chdir
    __printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk __sprintf_chk stdout stderr strtod strtof strtold atof""".split())
# Digits and an exponent without a decimal point read the same in every locale.
ALLOWED = {("base_num.c.o", "strtod"), ("base_num.c.o", "strtof")}
# One lock is process-wide because HDF5's own state is.
MUTABLE = {"hdf5_mutex"}


def symbols(*arguments):
    return subprocess.run(["nm", "-A", *arguments], capture_output=True, text=True, check=True).stdout.splitlines()


# Last field of objdump's lines: the name; somewhere before it the section.
read_only = {line.split()[-1] for line in subprocess.run(["objdump", "-t", sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines()
             if "\t" in line and ".data.rel.ro" in line}
problems = set()
for line in symbols("--undefined-only", sys.argv[1]):
    name = line.split()[-1].split("@")[0]
    if name in FORBIDDEN and (line.split(":")[1], name) not in ALLOWED:
        problems.add(f"{line.split(':')[1]} uses {name}")
for line in symbols("--defined-only", sys.argv[1]):
    fields = line.split()
    kind, name = fields[-2], fields[-1]
    if kind in "bBdDC" and re.sub(r"\.\d+$", "", name) not in MUTABLE and ".pb-c.c.o" not in line:
        # Tables of pointers are relocated, then read-only: they live in .data.rel.ro, which nm calls d too.
        if name not in read_only:
            problems.add(f"{line.split(':')[1]} keeps a mutable global: {name}")
print("\n".join(sorted(problems)) or "quiet")
sys.exit(bool(problems))
