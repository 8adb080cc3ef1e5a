# SPDX-License-Identifier: Apache-2.0
"""
Every form in which h5py writes numbers, strings and groups loads with equal numbers: golden Keras files are written anew
in each and must freeze to the bytes that the original freezes to. What is random is drawn from fixed seeds.
"""
import os
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CNNFREEZE_BUILD", ROOT / "build"))
COMMAND = os.environ.get("CNNFREEZE_COMMAND", str(BUILD / "tools/cnnfreeze"))
GOLDEN = ROOT / "tests/golden/keras"
MODELS = ["k225_cf13", "k225_nested", "k225_bn_variants", "tfk_cf13", "tfk_nested", "tfk_text_cnn"]


def freeze(model, out):
    done = subprocess.run([COMMAND, "freeze", str(model), "-o", str(out)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{model}: {done.stderr}"
    return out.read_bytes()


def some_chunk(rng, shape):
    return tuple(int(rng.integers(1, n + 1)) for n in shape)


# How a dataset is made: name -> keywords of create_dataset() for an array and a generator of random numbers.
STORAGE = {
    "contiguous": lambda a, rng: {},
    "chunked": lambda a, rng: {"chunks": some_chunk(rng, a.shape)},
    "larger_chunk": lambda a, rng: {"chunks": tuple(n + 3 for n in a.shape), "maxshape": (None,) * a.ndim},
    "gzip": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "compression": "gzip"},
    "gzip_single": lambda a, rng: {"chunks": a.shape, "compression": 9},
    "shuffle": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "shuffle": True},
    "fletcher32": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "fletcher32": True},
    "all_filters": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "compression": 4, "shuffle": True,
                                   "fletcher32": True},
    "one_unlimited": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "maxshape": (None,) + a.shape[1:]},
    "last_unlimited": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "compression": 1,
                                      "maxshape": a.shape[:-1] + (None,)},
    "all_unlimited": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "maxshape": (None,) * a.ndim},
    "all_unlimited_gzip": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "compression": 1,
                                          "maxshape": (None,) * a.ndim},
    "room_to_grow": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "maxshape": tuple(2 * n + 5 for n in a.shape)},
    "room_to_grow_gzip": lambda a, rng: {"chunks": some_chunk(rng, a.shape), "compression": 1,
                                         "maxshape": tuple(2 * n + 5 for n in a.shape)},
    "big_endian": lambda a, rng: {"dtype": a.dtype.newbyteorder(">")},
    "double": lambda a, rng: {"dtype": "<f8"} if a.dtype.kind == "f" else {},
    "big_double_gzip": lambda a, rng: {"dtype": ">f8" if a.dtype.kind == "f" else a.dtype,
                                       "chunks": some_chunk(rng, a.shape), "compression": 1, "shuffle": True},
}

# How a file is made: keywords of h5py.File().
FILES = {
    "earliest": {"libver": "earliest"},
    "v108": {"libver": ("earliest", "v108")},
    "v110": {"libver": ("v110", "v110")},
    "latest": {"libver": "latest"},
    "user_block": {"libver": "earliest", "userblock_size": 1024},
    "user_block_latest": {"libver": "latest", "userblock_size": 512},
    "tracked": {"libver": "latest", "track_order": True},
    "paged": {"libver": "latest", "fs_strategy": "page", "fs_page_size": 4096},
}


def put(group, name, array, storage, rng):
    how = STORAGE[storage](array, rng) if array.ndim and array.size else {}
    group.create_dataset(name, data=array, **how)


def copy(source, target, storage, rng, extra):
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for i in range(extra):  # enough for dense storage
        target.attrs[f"extra_{i}"] = np.arange(i)
        target.create_group(f"extra group {i}")
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy(item, target.create_group(name), storage, rng, extra)
        else:
            put(target, name, item[()], storage, rng)


def rewrite(source, target, storage="contiguous", extra=0, **file):
    seed = zlib.crc32(f"{Path(source).name} {storage} {file}".encode())
    with h5py.File(source, "r") as old, h5py.File(target, "w", **file) as new:
        copy(old, new, storage, np.random.default_rng(seed), extra)
    return target


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("model", MODELS)
def test_every_storage_in_every_file(tmp_path, model, file):
    want = freeze(GOLDEN / f"{model}.h5", tmp_path / "want.pb")
    for storage in STORAGE:
        path = rewrite(GOLDEN / f"{model}.h5", tmp_path / f"{storage}.h5", storage, **FILES[file])
        assert freeze(path, tmp_path / "got.pb") == want, (storage, file)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("extra", [9, 60, 700])
def test_groups_and_attributes_in_dense_storage(tmp_path, file, extra):
    for model in MODELS[1], MODELS[4]:
        want = freeze(GOLDEN / f"{model}.h5", tmp_path / "want.pb")
        path = rewrite(GOLDEN / f"{model}.h5", tmp_path / "m.h5", "gzip", extra, **FILES[file])
        assert freeze(path, tmp_path / "got.pb") == want


def one_layer(path, array, units, config=None, **file):
    """A model of one Dense layer whose kernel the caller makes."""
    import json
    layer = {"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [None, array], "dtype": "float32",
                                               "units": units, "activation": "linear", "use_bias": False}}
    f = h5py.File(path, "w", **file)
    f.attrs["keras_version"], f.attrs["backend"] = "2.2.5", "tensorflow"
    f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": [layer]},
                                          "comment": config or ""})
    f.create_group("model_weights").attrs["layer_names"] = [b"d"]
    f["model_weights"].create_group("d").attrs["weight_names"] = [b"kernel:0"]
    return f, f["model_weights/d"]


@pytest.mark.parametrize("libver", ["earliest", "v110", "latest"])
@pytest.mark.parametrize("how", [{}, {"compression": 1}, {"maxshape": (None, 40)}, {"maxshape": (300, None)},
                                 {"maxshape": (None, 40), "compression": 1}, {"maxshape": (None, None)},
                                 {"maxshape": (None, None), "compression": 1}])
def test_many_chunks(tmp_path, libver, how):
    """6,000 chunks: arrays in pages, super blocks, B-trees with inner nodes; some chunks are not written."""
    data = np.random.default_rng(7).standard_normal((300, 40)).astype("f4")
    low = libver if libver != "v110" else ("v110", "v110")
    f, group = one_layer(tmp_path / "m.h5", 300, 40, libver=low)
    kernel = group.create_dataset("kernel:0", shape=data.shape, dtype="f4", chunks=(1, 2), fillvalue=2.5, **how)
    for row in range(300):
        if row % 7 == 3:
            data[row] = 2.5
        else:
            kernel[row] = data[row]
    f.close()
    f, group = one_layer(tmp_path / "plain.h5", 300, 40)
    group["kernel:0"] = data
    f.close()
    assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")


@pytest.mark.parametrize("libver", ["latest", ("v110", "v110")])
def test_an_attribute_over_64_kilobytes(tmp_path, libver):
    """Since HDF5 1.8 dense storage holds them, as a huge object of a fractal heap."""
    data = np.arange(12, dtype="f4").reshape(4, 3)
    for path, comment, low in (("m.h5", "x" * 200000, libver), ("plain.h5", "", "earliest")):
        f, group = one_layer(tmp_path / path, 4, 3, comment, libver=low)
        group["kernel:0"] = data
        for i in range(20):
            f.attrs[f"more {i}"] = b"y" * 5000 * (i % 3)
        f.close()
    assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_what_was_never_written_has_the_fill_value(tmp_path, libver):
    """Also in plain storage, and where all chunks are absent."""
    for fill, how in (0, {}), (1.5, {}), (0, {"chunks": (2, 2)}), (-3.25, {"chunks": (2, 2), "compression": 1}):
        f, group = one_layer(tmp_path / "m.h5", 4, 3, libver=libver)
        group.create_dataset("kernel:0", shape=(4, 3), dtype=">f8", fillvalue=fill, **how)
        f.close()
        f, group = one_layer(tmp_path / "plain.h5", 4, 3)
        group["kernel:0"] = np.full((4, 3), fill, "f4")
        f.close()
        assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")


def test_edges_without_filters_and_chunks_without_index(tmp_path):
    """Two forms that h5py makes through its low level alone: unfiltered partial chunks, and early allocation."""
    from h5py import h5d, h5p, h5s, h5t
    data = np.random.default_rng(3).standard_normal((50, 30)).astype("f4")
    for i, early in enumerate((False, True)):
        f, group = one_layer(tmp_path / "m.h5", 50, 30, libver="latest")
        properties = h5p.create(h5p.DATASET_CREATE)
        properties.set_chunk((7, 4))
        if early:
            properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        else:
            properties.set_deflate(3)
        kernel = h5d.create(group.id, b"kernel:0", h5t.IEEE_F32LE, h5s.create_simple((50, 30)), properties)
        kernel.write(h5s.ALL, h5s.ALL, data)
        f.close()
        f, group = one_layer(tmp_path / "plain.h5", 50, 30)
        group["kernel:0"] = data
        f.close()
        assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")


def test_strings_of_every_kind(tmp_path):
    """Fixed with each padding and variable, ASCII and UTF-8, one and many."""
    data = np.arange(12, dtype="f4").reshape(4, 3)
    f, group = one_layer(tmp_path / "plain.h5", 4, 3)
    group["kernel:0"] = data
    f.close()
    want = freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")
    for libver in "earliest", "latest":
        for dtype in h5py.string_dtype(), h5py.string_dtype("ascii"), h5py.string_dtype("utf-8", 30), "S8", "S40":
            f, group = one_layer(tmp_path / "m.h5", 4, 3, libver=libver)
            group["kernel:0"] = data
            del group.attrs["weight_names"]
            group.attrs.create("weight_names", ["kernel:0"], dtype=dtype)
            f.close()
            assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == want, dtype


def test_pytables(tmp_path):
    """CArray with zlib, shuffle and fletcher32 in a file of PyTables'; attributes are strings of its own kind."""
    tables = pytest.importorskip("tables")
    data = np.random.default_rng(5).standard_normal((40, 30)).astype("f4")
    f, group = one_layer(tmp_path / "plain.h5", 40, 30)
    group["kernel:0"] = data
    config = f.attrs["model_config"]
    f.close()
    for filters in None, tables.Filters(5, "zlib", fletcher32=True), tables.Filters(1, "zlib", shuffle=False):
        with tables.open_file(str(tmp_path / "m.h5"), "w") as f:
            weights = f.create_group("/", "model_weights")
            layer = f.create_group(weights, "d")
            f.create_carray(layer, "kernel_0", obj=data, filters=filters)
            f.root._v_attrs["model_config"], f.root._v_attrs["keras_version"] = np.bytes_(config), np.bytes_("2.2.5")
            weights._v_attrs["layer_names"] = np.array([b"d"])
            layer._v_attrs["weight_names"] = np.array([b"kernel_0"])
        assert freeze(tmp_path / "m.h5", tmp_path / "m.pb") == freeze(tmp_path / "plain.h5", tmp_path / "plain.pb")
