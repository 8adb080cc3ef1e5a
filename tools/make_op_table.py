#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes lib/ops/generated/op_table_data.c: what TensorFlow's ops take and give, and since which release.

The library knows ops only by this table. It is made from the op registries of TensorFlow 1.4 to
2.15 themselves, one serialised OpList per release, named <major>.<minor>.ops:

    make_op_table.py dump LIBRARY... > 1.15.ops     # inside a process of its own, once per release
    make_op_table.py table FOLDER > lib/ops/generated/op_table_data.c

dump loads a release's shared libraries (1.x: libtensorflow_framework.so and libtensorflow_jni.so of
the Java archive libtensorflow_jni; 2.x: libtensorflow_framework.so.2 and libtensorflow_cc.so.2 or
_pywrap_tensorflow_internal.so of the Python package) and asks the registry for everything in it.
table needs TensorFlow's Python package for the OpDef message.
"""
import ctypes
import os
import re
import sys

# Data sets, accelerators and experiments: no graph of a network for inference holds them.
EXCLUDED = re.compile(r'^_|Dataset|TPU|^Tpu|Xla|Mkl|Collective|Nccl|Risc|BoostedTrees|Experimental|DTensor|Cuda|Sdca|'
                      r'Uniform(Quantize|Dequantize|Requantize|Quantized)|Infeed|Outfeed|Prelinearize|Debug|MemoryCache|'
                      r'SeedGenerator|TensorForest|DecisionTree|Rpc|Ragged|Relayout|TfLite|Dedup|StatsAggregator|'
                      r'Iterator|MultiDevice|Cudnn|Unicode|LoadTPU|RetrieveTPU')


class Buffer(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p), ('length', ctypes.c_size_t), ('dealloc', ctypes.c_void_p)]


def dump(paths):
    libraries = [ctypes.CDLL(os.path.abspath(p), mode=ctypes.RTLD_GLOBAL | os.RTLD_LAZY) for p in paths]
    last = libraries[-1]
    if hasattr(last, 'TF_GetAllOpList'):
        last.TF_GetAllOpList.restype = ctypes.POINTER(Buffer)
        buffer = last.TF_GetAllOpList().contents
        return ctypes.string_at(buffer.data, buffer.length)
    # libtensorflow_jni hides the C API; the framework library still exports the registry.
    first = libraries[0]

    def symbol(name, result, *arguments):
        function = first[name]
        function.restype, function.argtypes = result, arguments
        return function

    pointer = ctypes.c_void_p
    ops = ctypes.create_string_buffer(1024)
    symbol('_ZN10tensorflow6OpListC1Ev', None, pointer)(ops)
    registry = symbol('_ZN10tensorflow10OpRegistry6GlobalEv', pointer)()
    symbol('_ZNK10tensorflow10OpRegistry6ExportEbPNS_6OpListE', None, pointer, ctypes.c_bool, pointer)(registry, True, ops)
    size = symbol('_ZNK10tensorflow6OpList12ByteSizeLongEv', ctypes.c_size_t, pointer)(ops)
    data = ctypes.create_string_buffer(size)
    symbol('_ZNK6google8protobuf11MessageLite16SerializeToArrayEPvi', ctypes.c_bool, pointer, pointer,
           ctypes.c_int)(ops, data, size)
    return data.raw[:size]


def read_releases(folder):
    from tensorflow.core.framework import op_def_pb2
    releases = {}
    for name in os.listdir(folder):
        match = re.fullmatch(r'v?(\d+)\.(\d+)(\.\d+)?\.ops', name)
        if not match:
            continue
        ops = op_def_pb2.OpList()
        with open(os.path.join(folder, name), 'rb') as file:
            ops.ParseFromString(file.read())
        releases[int(match[1]) * 100 + int(match[2])] = {op.name: op for op in ops.op if not EXCLUDED.search(op.name)}
    return dict(sorted(releases.items()))


def text(value):
    return '"%s"' % value if value else '0'


def wire(message, present):
    """A C string and its length; 0, 0 when the field is not there."""
    if not present:
        return '0, 0'
    data = message.SerializeToString(deterministic=True)
    out = ''.join(chr(c) if 32 <= c < 127 and chr(c) not in '"\\?' else '\\%03o' % c for c in data)
    return '"%s", %d' % (out, len(data))


def arg_row(arg):
    return 'ARG(%s, %d, %s, %s, %s, %d)' % (text(arg.name), arg.type, text(arg.type_attr), text(arg.number_attr),
                                            text(arg.type_list_attr), arg.is_ref)


def attr_row(attr, since):
    minimum = attr.minimum if attr.has_minimum else 'INT64_MIN'
    return 'ATTR(%s, %s, %d, %s, %s, %s)' % (
        text(attr.name), text(attr.type), since, minimum, wire(attr.default_value, attr.HasField('default_value')),
        wire(attr.allowed_values, attr.HasField('allowed_values')))


def history(name, releases):
    """Since when the op and its attributes are there, and what attributes said before they changed."""
    present = [v for v, ops in releases.items() if name in ops]
    latest = releases[present[-1]][name]
    first = min(releases)
    since = 0 if present[0] == first else present[0]
    until = 0 if present[-1] == max(releases) else present[-1]
    attr_since, past = {}, []
    for attr in latest.attr:
        seen = [v for v in present if any(a.name == attr.name for a in releases[v][name].attr)]
        attr_since[attr.name] = 0 if seen[0] == present[0] else seen[0]
        states = [(v, next(a for a in releases[v][name].attr if a.name == attr.name)) for v in seen]
        for (_, old), (changed_in, new) in zip(states, states[1:]):
            if (old.default_value, old.allowed_values) != (new.default_value, new.allowed_values) or \
                    old.HasField('default_value') != new.HasField('default_value'):
                past.append((attr.name, changed_in, old))
    return latest, since, until, attr_since, past


def table(folder):
    releases = read_releases(folder)
    names = sorted({name for ops in releases.values() for name in ops})
    args, attrs, pasts, ops = [], [], [], []
    for name in names:
        op, since, until, attr_since, past = history(name, releases)
        flags = '|'.join(flag for flag, on in (('COMMUTATIVE', op.is_commutative), ('AGGREGATE', op.is_aggregate),
                                               ('STATEFUL', op.is_stateful),
                                               ('UNINITIALIZED', op.allows_uninitialized_input)) if on) or '0'
        deprecated = op.deprecation.version if op.HasField('deprecation') else 0
        ops.append('OP("%s", %d, %d, %s, %d, %d, %d, %d, %d, %d, %d, %d)' % (
            name, since, until, flags, deprecated, len(args), len(op.input_arg), len(op.output_arg),
            len(attrs), len(op.attr), len(pasts), len(past)))
        args += [arg_row(a) for a in list(op.input_arg) + list(op.output_arg)]
        attrs += [attr_row(a, attr_since[a.name]) for a in op.attr]
        pasts += ['PAST("%s", %d, %s, %s)' % (key, changed_in, wire(old.default_value, old.HasField('default_value')),
                                              wire(old.allowed_values, old.HasField('allowed_values')))
                  for key, changed_in, old in past]
    versions = ', '.join('%d.%d' % divmod(v, 100) for v in releases)
    print('/* SPDX-License-Identifier: Apache-2.0 */')
    print('/* Made by tools/make_op_table.py from the op registries of TensorFlow %s. */' % versions)
    print('/* clang-format off */')
    print('#include "ops/generated/op_table_rows.h"\n')
    for kind, variable, rows in (('cnnfi_op_arg', 'cnnfi_op_args', args), ('cnnfi_op_attr', 'cnnfi_op_attrs', attrs),
                                 ('cnnfi_op_past', 'cnnfi_op_pasts', pasts), ('cnnfi_op', 'cnnfi_ops', ops)):
        print('const %s %s[] = {' % (kind, variable))
        print('\n'.join(row + ',' for row in rows))
        print('};\n')
    print('const size_t cnnfi_n_ops = sizeof cnnfi_ops / sizeof *cnnfi_ops;')


def main():
    if len(sys.argv) >= 3 and sys.argv[1] == 'dump':
        sys.stdout.buffer.write(dump(sys.argv[2:]))
        sys.stdout.flush()
        os._exit(0)  # the libraries' destructors were not made for this
    if len(sys.argv) == 3 and sys.argv[1] == 'table':
        table(sys.argv[2])
        return
    sys.exit(__doc__)


if __name__ == '__main__':
    main()
