# SPDX-License-Identifier: Apache-2.0
"""
Writes the HDF5 files of this folder: one small file per form of the format. Each has the dataset /g/d of 20 x 12
numbers, d[i][j] = (12 i + j) / 4 - 3, exact in every float type, and the attributes fixed (a string), list (strings of
one length) and words (strings of any length) at / and at /g. Written with h5py 3.16 (HDF5 2.0); tables.h5 by PyTables
3.11, when that is there.
"""
import sys
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

here = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
DATA = (np.arange(240, dtype="f4").reshape(20, 12) / 4 - 3).astype("f4")
UNLIMITED = (None, None)
ALL = dict(compression=6, shuffle=True, fletcher32=True)


def attributes(item, more=0):
    item.attrs["fixed"] = np.bytes_("one string")
    item.attrs["list"] = np.array([b"alpha", b"beta", b"gamma"])
    item.attrs.create("words", ["a", "longer", "", "words"], dtype=h5py.string_dtype())
    for i in range(more):
        item.attrs[f"more_{i}"] = np.arange(i)


def write(name, dtype="<f4", more=0, links=0, file=None, make=None, **how):
    with h5py.File(here / f"{name}.h5", "w", **{"libver": "earliest", **(file or {})}) as f:
        attributes(f, more)
        group = f.create_group("g")
        attributes(group, more)
        for i in range(links):
            group.create_group(f"link {i}")
        if make:
            make(group)
        else:
            group.create_dataset("d", data=DATA, dtype=dtype, **how)


def low_level(group, layout=None, early=False, chunk=None, dims=(20, 12), dtype=h5t.IEEE_F32LE):
    properties = h5p.create(h5p.DATASET_CREATE)
    if layout is not None:
        properties.set_layout(layout)
    if chunk:
        properties.set_chunk(chunk)
    if early:
        properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    h5d.create(group.id, b"d", dtype, h5s.create_simple(dims), properties).write(h5s.ALL, h5s.ALL, DATA)


def some_rows(group):
    """The even rows are written; the odd ones are the fill value."""
    d = group.create_dataset("d", shape=(20, 12), dtype="f4", chunks=(1, 5), fillvalue=2.5, compression=1)
    for i in range(0, 20, 2):
        d[i] = DATA[i]


LATEST = {"libver": "latest"}
write("contiguous")
write("compact", make=lambda g: low_level(g, h5d.COMPACT))
write("big_double", ">f8")
write("half", "<f2")
write("big_half", ">f2", chunks=(7, 5))
write("tree1", chunks=(2, 1))
write("tree1_filters", chunks=(7, 5), **ALL)
write("tree1_rows", make=some_rows)
write("links", links=20)
write("user_block", file={"userblock_size": 512}, chunks=(20, 12), compression=3)
write("superblock2", file={"libver": ("earliest", "v108")}, chunks=(7, 5), compression=1)
write("latest", file=LATEST)
write("latest_user_block", file={"userblock_size": 512, **LATEST})
write("latest_compact", file=LATEST, make=lambda g: low_level(g, h5d.COMPACT))
write("single", file=LATEST, chunks=(20, 12))
write("single_filters", file=LATEST, chunks=(20, 12), **ALL)
write("implicit", file=LATEST, make=lambda g: low_level(g, early=True, chunk=(7, 5)))
write("fixed_array", file=LATEST, chunks=(3, 5))
write("fixed_array_filters", file=LATEST, chunks=(7, 5), **ALL)
write("fixed_array_grows", file=LATEST, chunks=(7, 5), maxshape=(50, 12))
write("extensible_array", file=LATEST, chunks=(1, 5), maxshape=(None, 12))
write("extensible_array_last", file=LATEST, chunks=(2, 1), maxshape=(20, None), compression=1)
write("tree2", file=LATEST, chunks=(2, 2), maxshape=UNLIMITED)
write("tree2_deep", file=LATEST, chunks=(1, 1), maxshape=UNLIMITED)
write("tree2_filters", file=LATEST, chunks=(7, 5), maxshape=UNLIMITED, **ALL)
write("rows", file=LATEST, make=some_rows)
write("dense", file=LATEST, more=12, links=12)
write("dense_tracked", file={"track_order": True, **LATEST}, more=30, links=30)
write("paged", file={"fs_strategy": "page", "fs_page_size": 512, **LATEST})


def huge(group):
    group.attrs["big"] = np.bytes_("x" * 5000)
    group.create_dataset("d", data=DATA)


write("huge_attribute", file=LATEST, more=12, make=huge)
try:
    import tables
except ImportError:
    sys.exit()
with tables.open_file(str(here / "tables.h5"), "w") as f:
    group = f.create_group("/", "g")
    f.create_carray(group, "d", obj=DATA, filters=tables.Filters(5, "zlib", fletcher32=True))
with h5py.File(here / "tables.h5", "r+") as f:
    attributes(f)
    attributes(f["g"])
