# SPDX-License-Identifier: Apache-2.0
"""Arrays go in and come out as the numbers they are: byte order, strides, 0-d, conversions, dtypes that numpy lacks."""
import os
import sys
import tempfile
import unittest

import cnnfreeze
from support import MODEL, constant, echo, graph, needs_numpy, node, np, placeholder


@needs_numpy
class In(unittest.TestCase):
    def same(self, dtype, value, expected):
        got = echo(dtype).predict({"x": value})[0]
        expected = np.asarray(expected)
        self.assertEqual((got.dtype, got.shape), (expected.dtype, expected.shape))
        np.testing.assert_array_equal(got, expected)

    def test_foreign_byte_order(self):
        for dtype, name in (("DT_FLOAT", "f4"), ("DT_INT32", "i4"), ("DT_INT64", "i8"), ("DT_DOUBLE", "f8"), ("DT_HALF", "f2")):
            values = np.array([[1, 2, 300], [-4, 5, 6]])
            self.same(dtype, values.astype(">" + name), values.astype("<" + name))

    def test_foreign_byte_order_without_a_placeholder(self):
        g = graph(node("a", "Const", dtype="type: DT_FLOAT", value="tensor { dtype: DT_FLOAT tensor_shape { } float_val: 1 }"),
                  node("y", "Neg", "a", T="type: DT_FLOAT"))
        np.testing.assert_array_equal(g.predict({"a": np.array([1, 2], ">f4")}, "y"), np.array([-1, -2], "f4"))

    def test_strides(self):
        values = np.arange(24, dtype="f4").reshape(2, 3, 4)
        for view in (values.T, values[:, ::2], values[::-1, :, 1:], np.asfortranarray(values), np.broadcast_to(values[0], (5, 3, 4))):
            self.same("DT_FLOAT", view, view)

    def test_zero_dimensions_stay(self):
        self.same("DT_FLOAT", np.float32(3), np.array(3, "f4"))
        self.same("DT_FLOAT", np.array(3, ">f4"), np.array(3, "f4"))
        self.same("DT_INT64", 7, np.array(7, "i8"))

    def test_empty(self):
        self.same("DT_FLOAT", np.zeros((0, 3), "f8"), np.zeros((0, 3), "f4"))

    def test_lists_and_double_are_taken_as_the_placeholder(self):
        self.same("DT_FLOAT", [[1, 2.5], [3, 4]], np.array([[1, 2.5], [3, 4]], "f4"))
        self.same("DT_FLOAT", np.array([0.1], "f8"), np.array([0.1], "f4"))
        self.same("DT_INT32", [1, 2], np.array([1, 2], "i4"))
        self.same("DT_UINT8", np.array([0, 255]), np.array([0, 255], "u1"))
        self.same("DT_FLOAT", np.array([0, 255], "u1"), np.array([0, 255], "f4"))
        self.same("DT_DOUBLE", np.array([0.5], "f4"), np.array([0.5], "f8"))
        self.same("DT_FLOAT", [np.inf, -np.inf], np.array([np.inf, -np.inf], "f4"))

    def test_what_would_change_is_refused(self):
        for dtype, value in (("DT_UINT8", [256]), ("DT_UINT8", [-1]), ("DT_INT32", np.array([2**40])), ("DT_FLOAT", [1e300]),
                             ("DT_INT64", np.array([2**63], "u8")), ("DT_UINT64", np.array([-1], "i8")), ("DT_HALF", [70000.0])):
            with self.subTest(dtype=dtype, value=value), self.assertRaisesRegex(ValueError, "feed 'x'"):
                echo(dtype).predict({"x": value})

    def test_what_is_no_such_number_is_refused(self):
        for dtype, value in (("DT_INT32", [1.5]), ("DT_FLOAT", [1j]), ("DT_FLOAT", ["a"]), ("DT_FLOAT", [None]),
                             ("DT_BOOL", [1]), ("DT_STRING", [b"a"])):
            with self.subTest(dtype=dtype, value=value), self.assertRaisesRegex(TypeError, "feed 'x'"):
                echo(dtype).predict({"x": value})

    def test_bfloat16_is_rounded_to_even(self):
        bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0x7F800000, 0x00018000], "u4")
        got = echo("DT_BFLOAT16").predict({"x": bits.view("f4")})[0]
        np.testing.assert_array_equal(got.view("u4") >> 16, [0x3F80, 0x3F82, 0x3F81, 0x7F80, 0x7F80, 0x0002])
        self.assertTrue(np.isnan(echo("DT_BFLOAT16").predict({"x": [np.nan]})[0][0]))


@needs_numpy
class Out(unittest.TestCase):
    def test_bfloat16(self):
        value = constant("DT_BFLOAT16", "half_val: 16256", "half_val: 49217", "half_val: 32641", "half_val: 1",
                         shape="dim { size: 4 }")["c"].value
        self.assertEqual(value.dtype, np.float32)
        np.testing.assert_array_equal(value.view("u4"), np.array([0x3F80, 0xC041, 0x7F81, 1], "u4") << 16)

    def test_float8(self):
        # From ml_dtypes: 1, -1.75, the largest, the least subnormal, infinity (e5m2 only), NaN.
        cases = {"DT_FLOAT8_E5M2": ({0x3C: 1, 0xBF: -1.75, 0x7B: 57344, 0x01: 2.0**-16, 0x7C: np.inf, 0xFC: -np.inf, 0x7E: np.nan}),
                 "DT_FLOAT8_E4M3FN": ({0x38: 1, 0xBE: -1.75, 0x7E: 448, 0x01: 2.0**-9, 0x00: 0, 0xFF: np.nan})}
        for dtype, values in cases.items():
            content = "".join(f"\\{byte:03o}" for byte in values)
            got = constant(dtype, f'tensor_content: "{content}"', shape=f"dim {{ size: {len(values)} }}")["c"].value
            np.testing.assert_array_equal(got, np.array(list(values.values()), "f4"))

    def test_strings(self):
        value = constant("DT_STRING", 'string_val: "a\\000b"', 'string_val: ""', shape="dim { size: 2 }")["c"].value
        self.assertEqual((value.dtype, value.tolist()), (object, [b"a\0b", b""]))
        self.assertEqual(constant("DT_STRING", 'string_val: "one"')["c"].value.item(), b"one")

    def test_quantized_are_integers(self):
        value = constant("DT_QUINT8", 'tensor_content: "\\377\\001"', shape="dim { size: 2 }")["c"].value
        np.testing.assert_array_equal(value, np.array([255, 1], "u1"))

    def test_bool_bytes_are_0_or_1(self):
        value = constant("DT_BOOL", 'tensor_content: "\\002\\000"', shape="dim { size: 2 }")["c"].value
        self.assertEqual((value.dtype, value.view("u1").tolist()), (bool, [1, 0]))

    def test_scalar(self):
        self.assertEqual(constant("DT_FLOAT", "float_val: 2.5")["c"].value.shape, ())

    def test_arrays_are_the_callers_own(self):
        g = constant("DT_FLOAT", "float_val: 2.5", shape="dim { size: 1 }")
        first = g.predict({}, "c")
        first[0] = 9
        self.assertEqual(g.predict({}, "c")[0], 2.5)


@needs_numpy
class Outputs(unittest.TestCase):
    def setUp(self):
        self.frozen = cnnfreeze.load(cnnfreeze.load(MODEL).freeze().serialize())
        self.x = np.zeros((2, 28, 28, 1), "f4")

    def test_of_a_frozen_file_are_guessed(self):
        self.assertEqual(self.frozen.outputs, ["activation_6/Softmax"])
        y, = self.frozen.predict({"input_1": self.x})
        self.assertEqual(y.shape, (2, 25))

    def test_several_are_all_given(self):
        g = graph(placeholder("x", "DT_FLOAT"), node("a", "Neg", "x", T="type: DT_FLOAT"), node("b", "Exp", "x", T="type: DT_FLOAT"))
        self.assertEqual((g.outputs, g.guess_outputs()), (["a", "b"], ["a", "b"]))
        self.assertEqual([float(y[0]) for y in g.predict({"x": [0]})], [0, 1])

    def test_unclear_ones_are_named(self):
        variables = (node(name, "VariableV2", dtype="type: DT_FLOAT", shape="shape { dim { size: 1 } }") for name in "vw")
        g = graph(placeholder("x", "DT_FLOAT"), *variables, node("a", "Mul", "x", "v", T="type: DT_FLOAT"),
                  node("b", "Mul", "x", "w", T="type: DT_FLOAT"))
        self.assertEqual(g.outputs, [])
        with self.assertRaisesRegex(ValueError, "for example of: a, b"):
            g.predict({"x": [1]})

    def test_one_name_is_no_list_of_letters(self):
        y = self.frozen.predict({"input_1": self.x}, "activation_6/Softmax")
        np.testing.assert_array_equal(y, self.frozen.predict(self.x)[0])
        self.assertEqual(cnnfreeze.load(MODEL).freeze("activation_6/Softmax").converted, 24)
        self.assertEqual(len(self.frozen.transform("strip_unused_nodes", "input_1", "activation_6/Softmax")), 88)

    def test_two_inputs_want_names(self):
        g = graph(placeholder("x", "DT_FLOAT"), placeholder("z", "DT_FLOAT"), node("y", "Add", "x", "z", T="type: DT_FLOAT"))
        with self.assertRaisesRegex(ValueError, "2 inputs: give {name: array} of x, z"):
            g.predict([1])
        self.assertEqual(float(g.predict({"x": [1], "z:0": [2]})[0][0]), 3)


@needs_numpy
class Checksums(unittest.TestCase):
    def test_a_changed_byte_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "m.ckpt")
            cnnfreeze.load(MODEL).write_checkpoint(prefix)
            with cnnfreeze.Checkpoint(prefix) as checkpoint:
                good = {name: array for name, array in checkpoint.items() if checkpoint.verify() is None}
                self.assertEqual(len(good), 95)
            with open(prefix + ".data-00000-of-00001", "r+b") as data:
                data.seek(1000)
                byte = data.read(1)[0]
                data.seek(1000)
                data.write(bytes([byte ^ 1]))
            changed = cnnfreeze.Checkpoint(prefix)
            bad = []
            for name in changed:
                try:
                    np.testing.assert_array_equal(changed[name], good[name])
                except cnnfreeze.CorruptError as error:
                    bad.append(error)
            self.assertEqual([error.code for error in bad], ["CORRUPT"])
            self.assertIn("crc32c", str(bad[0]))
            with self.assertRaises(cnnfreeze.CorruptError):
                changed.verify()


@needs_numpy
class Npy(unittest.TestCase):
    def test_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.npy")
            for array in (np.arange(6, dtype=">i4").reshape(2, 3), np.array(2.5), np.zeros((0, 4), "f2"), np.array([True, False])):
                cnnfreeze.save_npy(path, array)
                np.testing.assert_array_equal(np.load(path), array)
                np.save(path, array)
                again = cnnfreeze.load_npy(path)
                np.testing.assert_array_equal(again, array)
                self.assertEqual(again.dtype, array.dtype.newbyteorder("="))

    def test_nothing_is_unpickled(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.npy")
            np.save(path, np.array([{}], object), allow_pickle=True)
            with self.assertRaises(cnnfreeze.UnsupportedError):
                cnnfreeze.load_npy(path)


if __name__ == "__main__":
    sys.exit(unittest.main())
