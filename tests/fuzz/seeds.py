# SPDX-License-Identifier: Apache-2.0
"""The seeds of a fuzz target: golden files of the formats it reads, and its own folder in tests/fuzz/corpus.

    seeds.py --copy TARGET ROOT FOLDER           writes them, named by content, for a fuzzer (FOLDER is made)
    seeds.py --replay TARGET ROOT PROGRAM ROUNDS runs a target that was built without an engine on all of them

A target that reads several files at once takes parts: each with its size in front (fuzz_parts.h).
"""
import glob
import hashlib
import os
import struct
import subprocess
import sys
import tempfile

MAX_BYTES = 120_000
GOLDEN = {
    "h5": ["hdf5/**/*.h5"],
    "load": ["oom/model.h5", "oom/graph.pb", "oom/graph.pbtxt", "oom/graph.meta", "numbers/**/*.keras", "graphdef/*", "frozen/**/*.pb",
             "frozen/two_heads/m.ckpt.meta", "keras/k225_bn_variants.h5", "keras/tfk_bn_variants.h5", "graphdef/saved_model/*.pb"],
    "passes": ["oom/graph.pb", "oom/graph.pbtxt", "passes/*.pb", "frozen/function_constant/**/*.pb", "graphdef/all.pb"],
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def pack(*parts):
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def checkpoint_seeds(golden):
    state = b'model_checkpoint_path: "f"\nall_model_checkpoint_paths: "f"\n'
    for index in sorted(glob.glob(f"{golden}/**/*.index", recursive=True)):
        shard = index[:-len("index")] + "data-00000-of-00001"
        if os.path.exists(shard):
            yield pack(read(index), read(shard), state)
    for path in (f"{golden}/checkpoint/v1/model.ckpt", f"{golden}/checkpoint/v1_shards/model.ckpt-00000-of-00001"):
        yield pack(read(path), b"", state)


def idx(kind, *dims):
    count = 1
    for dim in dims:
        count *= dim
    return bytes([0, 0, kind, len(dims)]) + b"".join(struct.pack(">I", dim) for dim in dims) + bytes(k % 7 for k in range(count))


def dataset_seeds(golden):
    labels = idx(8, 3)
    images = idx(8, 3, 2, 2)
    npy = read(f"{golden}/dataset/images_gray.npy")
    for name in ("oom/data.csv", "dataset/pairs.csv", "dataset/pairs.csv.gz", "dataset/pairs.npz"):
        for options in (b"\0\0", b"\x4c\x01", b"\x30\x02"):
            yield pack(options, read(f"{golden}/{name}"), labels)
    for first in (images, npy):
        yield pack(b"\2\0", first, labels)
        yield pack(b"\x12\0", first, npy)
    for path in sorted(glob.glob(f"{golden}/dataset/images/*/*")):
        yield pack(b"\1\0", read(path), b"")
        yield pack(b"\x15\4", read(path), b"1.png,0\n")


MADE = {"checkpoint": checkpoint_seeds, "dataset": dataset_seeds}


def seeds(target, root):
    golden = f"{root}/tests/golden"
    patterns = [f"{golden}/{pattern}" for pattern in GOLDEN.get(target, [])] + [f"{root}/tests/fuzz/corpus/{target}/*"]
    paths = sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)})
    found = [read(path) for path in paths] + list(MADE.get(target, lambda _: [])(golden))
    return [seed for seed in found if 0 < len(seed) <= MAX_BYTES]


def copy(target, root, folder):
    found = seeds(target, root)
    if not found:
        sys.exit(f"{target}: no seeds")
    os.makedirs(folder, exist_ok=True)
    for seed in found:
        with open(f"{folder}/{hashlib.sha1(seed).hexdigest()}", "wb") as file:
            file.write(seed)


def main():
    what, target, root, last = sys.argv[1:5]
    if what == "--copy":
        copy(target, root, last)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy(target, root, folder)
        files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        sys.exit(subprocess.run([os.path.abspath(last), sys.argv[5], *files], cwd=folder).returncode)


main()
