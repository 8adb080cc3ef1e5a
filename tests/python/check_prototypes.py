# SPDX-License-Identifier: Apache-2.0
"""The binding's table is the headers, its callers call what is there: check_prototypes.py SOURCE_ROOT [--write]

Needs neither the library nor numpy. --write puts the headers' prototypes into the table; the calls of a function whose
arguments changed have to be looked at by hand, so their places are printed.
"""
import ast
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
PACKAGE = ROOT / "bindings/python/cnnfreeze"
TABLE = PACKAGE / "_prototypes.py"


def normal(declaration):
    """One line, one space, no const: "int32_t cnnf_has_feature(char *feature)"."""
    text = re.sub(r"\bconst\b", " ", declaration)
    text = re.sub(r"\s*\*\s*", " *", re.sub(r"\s+", " ", text))
    text = re.sub(r"\* (?=\*)", "*", text)
    return re.sub(r"\s*([(),])\s*", r"\1", text).replace(",", ", ").strip()


def headers():
    """(functions, callbacks) of the public headers, {name: prototype}, sorted."""
    functions, callbacks = {}, {}
    for header in sorted((ROOT / "include/cnnfreeze").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.S)
        for declaration in re.findall(r"^CNNF_API\s([^;]*);", text, flags=re.M):
            line = normal(declaration)
            functions[re.search(r"(\w+)\(", line).group(1)] = line
        for result, name, arguments in re.findall(r"^typedef\s([^;()]*)\(\*(\w+)\)\s*(\([^;]*\));", text, flags=re.M):
            callbacks[name] = normal(f"{result} {name}{arguments}")
    return dict(sorted(functions.items())), dict(sorted(callbacks.items()))


def table():
    """The module, which imports nothing of the package."""
    space = {}
    exec(compile(TABLE.read_text(), str(TABLE), "exec"), space)
    return space


def lines(text):
    return {re.search(r"(\w+)\(", line).group(1): line for line in filter(None, text.splitlines())}


def library_function(node):
    """"cnnf_graph_find" of the expression lib.graph_find; None for any other."""
    known = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"lib", "_lib"}
    return "cnnf_" + node.attr if known and node.attr != "path" else None


def sources():
    """(path, node) of every expression of the package."""
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path, node


def uses():
    """{function: ["graph.py:12", ...]} of every lib.NAME in the package."""
    found = {"cnnf_abi_version": ["_library.py"]}
    for path, node in sources():
        if library_function(node):
            found.setdefault(library_function(node), []).append(f"{path.name}:{node.lineno}")
    return found


# How many positional arguments stand before those of the function, and which parameters the helper gives itself.
HELPERS = {"call": (1, {"error"}), "make": (3, {"error", "out"}), "take_text": (1, {"error", "out"}), "take_bytes": (1, {"error", "out"})}


def wrong_calls(names_of):
    """Calls whose arguments are not the parameters: direct ones by their number, those of call() and make() by name."""
    for path, node in sources():
        if not isinstance(node, ast.Call) or any(k.arg is None for k in node.keywords):
            continue
        direct, helper = library_function(node.func), getattr(node.func, "id", None)
        first = library_function(node.args[0]) if node.args else None
        if direct in names_of:
            good = len(node.args) == len(names_of[direct])
        elif first in names_of and helper in HELPERS:
            skipped, given = HELPERS[helper]
            wanted = [name for name in names_of[first] if name not in given][max(len(node.args) - skipped, 0):]
            good = {k.arg for k in node.keywords} - {"keep"} == set(wanted)
        elif first in names_of and getattr(node.func, "attr", None) == "set":
            good = len(node.args) == len([name for name in names_of[first] if name != "error"])
        else:
            continue
        if not good:
            yield f"{path.name}:{node.lineno}: {direct or first} takes {names_of[direct or first]}"


def write(functions, callbacks):
    text = TABLE.read_text()
    for name, wanted in (("CALLBACKS", callbacks), ("FUNCTIONS", functions)):
        text = re.sub(rf'^{name} = """\n.*?"""', f'{name} = """\n' + "\n".join(wanted.values()).replace("\\", r"\\") + '\n"""',
                      text, flags=re.S | re.M)
    TABLE.write_text(text)


def differences(wanted, have):
    for name in sorted(set(wanted) | set(have)):
        if wanted.get(name) != have.get(name):
            yield f"headers: {wanted.get(name)}\n  table:   {have.get(name)}\n  called:  {', '.join(uses().get(name, ['nowhere']))}"


functions, callbacks = headers()
space = table()
problems = list(differences(functions, lines(space["FUNCTIONS"]))) + list(differences(callbacks, lines(space["CALLBACKS"])))
if "--write" in sys.argv:
    write(functions, callbacks)
    print("\n".join(problems) or "nothing to write")
    sys.exit()
mapped = set(re.findall(r"^\s+(cnnf_\w+);", (ROOT / "lib/cnnfreeze.map").read_text(), flags=re.M))
used, unused = uses(), {"cnnf_" + name for name in space["UNUSED"]}
problems += [f"in the map, not in the table: {name}" for name in sorted(mapped - set(functions))]
problems += [f"no such function: {name} at {used[name]}" for name in sorted(set(used) - set(functions))]
problems += [f"neither called nor in UNUSED with a reason: {name}" for name in sorted(set(functions) - set(used) - unused)]
problems += [f"in UNUSED, yet called or gone: {name}" for name in sorted(unused & set(used) | unused - set(functions))]
names_of = {}
for name in lines(space["FUNCTIONS"]):
    try:
        names_of[name] = space["signature"](name[len("cnnf_"):])[2]
    except KeyError as missing:
        problems.append(f"{name}: the table has no type {missing}")
problems += wrong_calls(names_of)
print("\n".join(problems) or f"{len(functions)} functions agree, {len(unused)} not called")
sys.exit(bool(problems))
