# SPDX-License-Identifier: Apache-2.0
"""Recurrent and masked models, made, saved and predicted by one Keras: python recurrent_cases.py WORLD FOLDER [CASE ...]

WORLD is k225 (Keras 2.2.5 on TensorFlow 1.15), tfk (tf.keras 2.x) or k3 (Keras 3). Each case becomes a folder with model.h5
(and model.keras where that Keras writes it), inputs x*.npy and what the model predicts, y*.npy.
"""
import os
import sys
import warnings

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore")
CASES = {}
ALL, KERAS2, TFK, NEW = ("k225", "tfk", "k3"), ("k225", "tfk"), ("tfk",), ("tfk", "k3")


def case(worlds=ALL):
    def register(function):
        CASES[function.__name__] = (worlds, function)
        return function
    return register


def steps(batch=3, length=6, features=5, *more):
    """Sequences whose ends, beginnings and one middle step are zero."""
    x = np.random.default_rng(7).normal(0, 1, (batch, length, features, *more)).astype("float32")
    x[0, -2:], x[1, :2], x[2, 2] = 0, 0, 0
    return x


def words(batch=4, length=7, vocabulary=11):
    x = np.random.default_rng(8).integers(1, vocabulary, (batch, length)).astype("float32")
    x[0, -3:], x[1, :2], x[2, 3] = 0, 0, 0
    return x


def plain(k, x, *layers, masked=True, length=6, **inputs):
    L = k.layers
    i = L.Input(**(inputs or {"shape": (length, *x.shape[2:])}))
    n = L.Masking()(i) if masked else i
    for layer in layers:
        n = layer(n)
    return k.models.Model(i, n), [x]


def embedded(k, layers, length=7, **options):
    L, i = k.layers, k.layers.Input(shape=(length,))
    n = L.Embedding(11, 5, mask_zero=True)(i)
    for layer in layers:
        n = layer(n)
    return k.models.Model(i, n), [words()]


# ---- masked cells ----

def add_cells():
    kinds = {"lstm": {}, "gru": {}, "simple": {}, "lstm_unrolled": {"unroll": True}, "gru_unrolled": {"unroll": True},
             "lstm_back": {"go_backwards": True}, "gru_back": {"go_backwards": True}, "simple_back": {"go_backwards": True},
             "lstm_back_unrolled": {"go_backwards": True, "unroll": True}}
    classes = {"lstm": "LSTM", "gru": "GRU", "simple": "SimpleRNN"}
    for name, options in kinds.items():
        for sequences in (False, True):
            def build(k, name=name, options=options, sequences=sequences):
                cell = getattr(k.layers, classes[name.split("_")[0]])
                return plain(k, steps(), cell(4, return_sequences=sequences, **options))
            build.__name__ = f"mask_{name}{'_all' if sequences else ''}"
            case()(build)


add_cells()


@case()
def mask_chain(k):
    L = k.layers
    return embedded(k, [L.LSTM(5, return_sequences=True), L.Dropout(.2), L.GRU(4, return_sequences=True), L.Dense(3), L.SimpleRNN(3)])


@case()
def mask_states(k):
    L = k.layers
    i = L.Input(shape=(6, 5))
    y, h, c = L.LSTM(4, return_sequences=True, return_state=True)(L.Masking()(i))
    z, g = L.GRU(4, return_state=True)(y)
    return k.models.Model(i, [y, h, c, z, g]), [steps()]


@case()
def mask_initial_state(k):
    L = k.layers
    i, j = L.Input(shape=(6, 5)), L.Input(shape=(4, 5))
    _, h, c = L.LSTM(4, return_state=True)(L.Masking()(i))
    y = L.LSTM(4, return_sequences=True)(L.Masking()(j), initial_state=[h, c])
    return k.models.Model([i, j], L.Dense(3)(y)), [steps(), steps(3, 4)]


@case()
def mask_value(k):
    L = k.layers
    x = steps()
    x[x == 0] = -1
    i = L.Input(shape=(6, 5))
    return k.models.Model(i, L.LSTM(4)(L.Masking(-1.)(i))), [x]


@case(NEW)
def zero_output(k):
    L = k.layers
    i = L.Input(shape=(6, 5))
    n = L.Masking()(i)
    return k.models.Model(i, [L.LSTM(4, return_sequences=True, zero_output_for_mask=True)(n), L.GRU(4, zero_output_for_mask=True)(n),
                              L.GRU(4, zero_output_for_mask=True, unroll=True, return_sequences=True)(n)]), [steps()]


@case()
def sequential_mask(k):
    L = k.layers
    m = k.models.Sequential([L.Masking(input_shape=(6, 5)), L.LSTM(4, return_sequences=True), L.Bidirectional(L.GRU(3)), L.Dense(2)])
    return m, [steps()]


@case()
def sequential_words(k):
    L = k.layers
    m = k.models.Sequential([L.InputLayer(input_shape=(7,)), L.Embedding(11, 5, mask_zero=True), L.Bidirectional(L.LSTM(4, return_sequences=True)),
                             L.TimeDistributed(L.Dense(3, activation="softmax"))])
    return m, [words()]


# ---- wrappers ----

def add_bidirectional():
    for mode in ("concat", "sum", "mul", "ave", None):
        for sequences in (False, True):
            def build(k, mode=mode, sequences=sequences):
                L = k.layers
                i = L.Input(shape=(6, 5))
                y = L.Bidirectional(L.LSTM(4, return_sequences=sequences), merge_mode=mode)(L.Masking()(i))
                if mode is not None and sequences:
                    y = L.GRU(3)(y)
                return k.models.Model(i, y), [steps()]
            build.__name__ = f"bidirectional_{mode}{'_all' if sequences else ''}"
            case()(build)


add_bidirectional()


@case()
def bidirectional_states(k):
    L = k.layers
    i = L.Input(shape=(6, 5))
    out = L.Bidirectional(L.LSTM(4, return_sequences=True, return_state=True))(L.Masking()(i))
    return k.models.Model(i, list(out)), [steps()]


@case()
def bidirectional_initial_state(k):
    L = k.layers
    i, j = L.Input(shape=(6, 5)), L.Input(shape=(4, 5))
    out = L.Bidirectional(L.GRU(4, return_state=True))(i)
    return k.models.Model([i, j], L.Bidirectional(L.GRU(4))(j, initial_state=list(out[1:]))), [steps(), steps(3, 4)]


@case(NEW)
def bidirectional_own_backward(k):
    L = k.layers
    layer = L.Bidirectional(L.LSTM(4, return_sequences=True), backward_layer=L.GRU(3, activation="relu", return_sequences=True, go_backwards=True))
    return plain(k, steps(), layer)


@case()
def bidirectional_rnn(k):
    L = k.layers
    return plain(k, steps(), L.Bidirectional(L.RNN(L.GRUCell(4), return_sequences=True)))


@case()
def time_distributed_masked(k):
    L = k.layers
    return embedded(k, [L.TimeDistributed(L.Dense(4, activation="relu")), L.LSTM(3)])


@case()
def time_distributed_words(k):
    L = k.layers
    sentence = L.Input(shape=(5,))
    encoder = k.models.Model(sentence, L.LSTM(4)(L.Embedding(11, 3, mask_zero=True)(sentence)))
    i = L.Input(shape=(3, 5))
    x = np.concatenate([words(4, 5)[:, None], words(4, 5)[::-1, None], words(4, 5)[:, None, ::-1]], 1)
    return k.models.Model(i, L.GRU(3)(L.TimeDistributed(encoder)(i))), [x]


@case(KERAS2)
def time_distributed_ranks(k):
    """A mask of three dimensions: words of sentences, reduced to sentences."""
    L = k.layers
    i = L.Input(shape=(3, 5))
    x = np.concatenate([words(4, 5)[:, None], words(4, 5)[::-1, None], words(4, 5)[:, None, ::-1]], 1)
    x[1, 1] = 0
    n = L.TimeDistributed(L.LSTM(4))(L.Embedding(11, 3, mask_zero=True)(i))
    return k.models.Model(i, L.GRU(3)(n)), [x]


@case()
def time_distributed_embedding(k):
    L = k.layers
    i = L.Input(shape=(3, 5))
    x = np.concatenate([words(4, 5)[:, None], words(4, 5)[::-1, None], words(4, 5)[:, None, ::-1]], 1)
    n = L.TimeDistributed(L.Embedding(11, 3))(i)
    return k.models.Model(i, L.GRU(3)(L.TimeDistributed(L.LSTM(4, return_sequences=False))(n))), [x]


@case()
def time_distributed_conv(k):
    L = k.layers
    i = L.Input(shape=(4, 6, 6, 2))
    n = L.TimeDistributed(L.Conv2D(3, 3, activation="relu"))(i)
    n = L.TimeDistributed(L.MaxPooling2D())(n)
    n = L.TimeDistributed(L.Flatten())(n)
    return k.models.Model(i, L.Dense(2)(L.LSTM(5)(n))), [steps(3, 4, 6, 6, 2)]


# ---- merges and other layers over masks ----

@case()
def merge_one_masked(k):
    """Keras 2 keeps the mask there is, Keras 3 none."""
    L = k.layers
    i = L.Input(shape=(6, 5))
    n = L.Masking()(i)
    return k.models.Model(i, [L.LSTM(3)(L.Add()([n, i])), L.LSTM(3)(L.Multiply()([i, n])), L.LSTM(3)(L.Concatenate()([n, i]))]), [steps()]


@case()
def merge_two_masked(k):
    """Keras 2 takes steps that all have, Keras 3 steps that any has."""
    L = k.layers
    i, j = L.Input(shape=(6, 5)), L.Input(shape=(6, 5))
    a, b = L.Masking()(i), L.Masking()(j)
    outs = [L.GRU(3, return_sequences=True)(layer([a, b])) for layer in (L.Add(), L.Average(), L.Maximum(), L.Concatenate(), L.Concatenate(axis=1))]
    return k.models.Model([i, j], outs), [steps(), np.ascontiguousarray(steps()[::-1, ::-1])]


@case()
def merge_words(k):
    L = k.layers
    i, j = L.Input(shape=(7,)), L.Input(shape=(7,))
    a, b = L.Embedding(11, 4, mask_zero=True)(i), L.Embedding(11, 4, mask_zero=True)(j)
    return k.models.Model([i, j], L.LSTM(4)(L.Concatenate()([a, b]))), [words(), np.ascontiguousarray(words()[::-1])]


@case()
def carried(k):
    """Layers that carry masks."""
    L = k.layers
    i = L.Input(shape=(6, 5))
    n = L.Masking()(i)
    layers = [L.Activation("relu"), L.LeakyReLU(), L.PReLU(), L.ELU(), L.BatchNormalization(), L.GaussianNoise(.1), L.SpatialDropout1D(.1),
              L.ActivityRegularization(), L.Dense(5)]
    return k.models.Model(i, [L.SimpleRNN(3)(layer(n)) for layer in layers]), [steps()]


@case(NEW)
def dropped(k):
    """Layers that do not carry masks, or only in Keras 3."""
    L = k.layers
    i = L.Input(shape=(6, 5))
    n = L.Masking()(i)
    layers = [L.Conv1D(5, 2), L.MaxPooling1D(), L.ZeroPadding1D(), L.Cropping1D(), L.UpSampling1D(), L.Permute((2, 1)), L.Reshape((3, 10)),
              L.LayerNormalization(), L.UnitNormalization(), L.Rescaling(.5), L.Identity()]
    return k.models.Model(i, [L.SimpleRNN(3)(layer(n)) for layer in layers]), [steps()]


@case()
def average_masked(k):
    L = k.layers
    return embedded(k, [L.LSTM(5, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(2)])


@case(NEW)
def average_first(k):
    L = k.layers
    return plain(k, steps(3, 6, 5), L.GlobalAveragePooling1D(keepdims=True))


@case()
def nested_masks(k):
    L = k.layers
    inner_in = L.Input(shape=(6, 5))
    inner = k.models.Model(inner_in, L.LSTM(4, return_sequences=True)(L.Dense(4)(inner_in)))
    i = L.Input(shape=(6, 5))
    return k.models.Model(i, L.GRU(3)(inner(L.Masking()(i)))), [steps()]


@case()
def nested_makes_mask(k):
    L = k.layers
    inner_in = L.Input(shape=(7,))
    inner = k.models.Model(inner_in, L.Dropout(.1)(L.Embedding(11, 5, mask_zero=True)(inner_in)))
    i = L.Input(shape=(7,))
    return k.models.Model(i, L.GRU(3)(inner(i))), [words()]


@case(NEW)
def mask_argument(k):
    L = k.layers
    i, m = L.Input(shape=(6, 5)), L.Input(shape=(6,), dtype="bool")
    y = L.LSTM(4, return_sequences=True)(i, mask=m)
    mask = np.random.default_rng(3).random((3, 6)) > .4
    return k.models.Model([i, m], [y, L.Bidirectional(L.GRU(3))(i, mask=m)]), [steps(), mask]


@case(NEW)
def softmax_mask(k):
    L = k.layers
    i, m = L.Input(shape=(6, 5)), L.Input(shape=(6, 5), dtype="bool")
    return k.models.Model([i, m], L.Softmax()(i, mask=m)), [steps(), np.random.default_rng(3).random((3, 6, 5)) > .4]


@case(TFK)
def time_major(k):
    L = k.layers
    i = L.Input(shape=(3, 5), batch_size=6)
    y = L.GRU(4, return_sequences=True, time_major=True)(i)
    return k.models.Model(i, [y, L.LSTM(4, time_major=True)(y)]), [np.ascontiguousarray(steps().transpose(1, 0, 2))]


# ---- cells ----

@case()
def rnn_cell(k):
    L = k.layers
    return plain(k, steps(), L.RNN(L.LSTMCell(4), return_sequences=True), L.RNN(L.GRUCell(4), return_sequences=True), L.RNN(L.SimpleRNNCell(3)))


@case()
def stacked_list(k):
    L = k.layers
    return plain(k, steps(), L.RNN([L.LSTMCell(4), L.GRUCell(3), L.SimpleRNNCell(2)], return_sequences=True))


@case()
def stacked_cells(k):
    L = k.layers
    return plain(k, steps(), L.RNN(L.StackedRNNCells([L.LSTMCell(4), L.LSTMCell(3)])), masked=False)


@case(("k225", "tfk"))
def stacked_states(k):
    L = k.layers
    i = L.Input(shape=(6, 5))
    out = L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_state=True)(i)
    flat = []
    for o in out:
        flat += list(o) if isinstance(o, (list, tuple)) else [o]
    return k.models.Model(i, flat), [steps()]


@case()
def stacked_bidirectional(k):
    L = k.layers
    return plain(k, steps(), L.Bidirectional(L.RNN([L.LSTMCell(4), L.LSTMCell(3)], return_sequences=True)))


@case()
def options(k):
    L = k.layers
    return plain(k, steps(), L.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False, return_sequences=True),
                 L.GRU(4, reset_after=False, return_sequences=True), L.GRU(4, reset_after=True, return_sequences=True),
                 L.SimpleRNN(3, use_bias=False, activation="sigmoid", dropout=.2, recurrent_dropout=.1))


@case(KERAS2)
def implementations(k):
    L = k.layers
    return plain(k, steps(), L.LSTM(4, implementation=1, return_sequences=True), L.LSTM(4, implementation=2, return_sequences=True),
                 L.GRU(4, implementation=1, return_sequences=True), L.GRU(4, implementation=2))


# ---- stateful ----

def add_stateful():
    for name in ("LSTM", "GRU", "SimpleRNN", "Bidirectional"):
        def build(k, name=name):
            L = k.layers
            i = L.Input(batch_shape=(3, 6, 5))
            layer = L.Bidirectional(L.LSTM(4, stateful=True, return_sequences=True)) if name == "Bidirectional" else \
                getattr(L, name)(4, stateful=True, return_sequences=True)
            return k.models.Model(i, L.LSTM(3, stateful=True)(layer(i))), [steps()]
        build.__name__ = f"stateful_{name.lower()}"
        case()(build)


add_stateful()


@case()
def stateful_sequential(k):
    L = k.layers
    m = k.models.Sequential([L.LSTM(4, stateful=True, batch_input_shape=(3, 6, 5)), L.Dense(2)]) if k.world != "k3" else \
        k.models.Sequential([L.Input(batch_shape=(3, 6, 5)), L.LSTM(4, stateful=True), L.Dense(2)])
    return m, [steps()]


@case()
def time_distributed_batch(k):
    """A known batch: Keras 2 goes through K.rnn()."""
    L = k.layers
    i = L.Input(batch_shape=(3, 6, 5))
    return k.models.Model(i, L.LSTM(3)(L.TimeDistributed(L.Dense(4))(i))), [steps()]


# ---- convolutional ----

def add_conv_lstm():
    for n in (1, 2, 3):
        worlds = ALL if n == 2 else NEW
        shape = ((3, 4, 7, 2), (3, 4, 7, 6, 2), (2, 3, 5, 6, 5, 2))[n - 1]
        variants = {"": {"padding": "same"}, "_valid": {"strides": 2, "return_sequences": True},
                    "_back": {"padding": "same", "go_backwards": True, "return_sequences": True, "recurrent_activation": "sigmoid"},
                    "_dilated": {"dilation_rate": 2, "use_bias": False, "return_state": True},
                    "_first": {"data_format": "channels_first", "padding": "same"}}
        for variant, options in variants.items():
            if variant == "_first" and n == 2 or variant == "_dilated" and n == 3:
                pass
            def build(k, n=n, shape=shape, options=options):
                L = k.layers
                x = np.random.default_rng(n).normal(0, 1, shape).astype("float32")
                i = L.Input(shape=shape[1:])
                y = getattr(L, f"ConvLSTM{n}D")(3, 3 if n < 3 else 2, **options)(i)
                return k.models.Model(i, y), [x]
            build.__name__ = f"conv_lstm{n}d{variant}"
            case(tuple(w for w in worlds if variant != "_first" and (variant != "_dilated" or n != 3)))(build)


add_conv_lstm()


@case()
def conv_lstm_stack(k):
    L = k.layers
    x = np.random.default_rng(5).normal(0, 1, (2, 4, 8, 8, 1)).astype("float32")
    m = k.models.Sequential([L.ConvLSTM2D(3, (3, 3), padding="same", return_sequences=True, input_shape=(4, 8, 8, 1)), L.BatchNormalization(),
                             L.ConvLSTM2D(2, (3, 2), padding="same", return_sequences=True), L.BatchNormalization(),
                             L.Conv3D(1, (3, 3, 3), activation="sigmoid", padding="same")])
    return m, [x]


@case()
def conv_lstm_masked(k):
    L = k.layers
    i, w = L.Input(shape=(6, 4, 4, 2)), L.Input(shape=(6, 5))
    x = steps(3, 6, 4, 4, 2)
    return k.models.Model(i, L.ConvLSTM2D(2, 3, padding="same")(i)), [x]


@case()
def conv_lstm_bidirectional(k):
    L = k.layers
    i = L.Input(shape=(4, 6, 6, 2))
    return k.models.Model(i, L.Bidirectional(L.ConvLSTM2D(2, 3, padding="same", return_sequences=True))(i)), [steps(3, 4, 6, 6, 2)]


# ---- unknown length ----

def add_open():
    def build_open(k, layer, masked):
        L = k.layers
        i = L.Input(shape=(None, 5))
        return k.models.Model(i, layer(L)(L.Masking()(i) if masked else i)), [steps()]
    layers = {"lstm": lambda L: L.LSTM(4), "lstm_all": lambda L: L.LSTM(4, return_sequences=True), "gru": lambda L: L.GRU(4),
              "gru_all": lambda L: L.GRU(4, return_sequences=True), "simple": lambda L: L.SimpleRNN(4),
              "back": lambda L: L.LSTM(4, go_backwards=True, return_sequences=True),
              "bidirectional": lambda L: L.Bidirectional(L.LSTM(4, return_sequences=True)), "states": lambda L: L.LSTM(4, return_state=True),
              "stacked": lambda L: L.RNN([L.LSTMCell(4), L.GRUCell(3)]), "options": lambda L: L.GRU(4, reset_after=False, activation="relu")}
    for name, layer in layers.items():
        for masked in (False, True):
            def build(k, layer=layer, masked=masked):
                return build_open(k, layer, masked)
            build.__name__ = f"open_{name}{'_masked' if masked else ''}"
            case()(build)


add_open()


@case()
def open_words(k):
    L = k.layers
    i = L.Input(shape=(None,))
    n = L.Bidirectional(L.LSTM(4, return_sequences=True))(L.Embedding(11, 5, mask_zero=True)(i))
    return k.models.Model(i, L.TimeDistributed(L.Dense(3, activation="softmax"))(n)), [words()]


@case()
def open_translator(k):
    L = k.layers
    i, j = L.Input(shape=(None, 5)), L.Input(shape=(None, 4))
    _, h, c = L.LSTM(6, return_state=True)(i)
    y, _, _ = L.LSTM(6, return_sequences=True, return_state=True)(j, initial_state=[h, c])
    return k.models.Model([i, j], L.Dense(4, activation="softmax")(y)), [steps(), steps(3, 4, 4)]


@case()
def open_conv_lstm(k):
    L = k.layers
    i = L.Input(shape=(None, 6, 6, 1))
    return k.models.Model(i, L.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(i)), [steps(2, 4, 6, 6, 1) if False else
                                                                                            steps(3, 4, 6, 6, 1)]


# ---- weights in another form: made by hand, since they need no GPU and no old Keras to be read ----

def cudnn_class(k, name):
    import tensorflow
    return getattr(tensorflow.compat.v1.keras.layers, f"CuDNN{name}")


def add_cudnn():
    """Saved with cuDNN's layers, predicted by the plain ones that Keras loads the same file into."""
    def models(k, name, both):
        L = k.layers
        out = []
        for fast in (True, False):
            i = L.Input(shape=(6, 5), name="in")
            options = {} if fast else {"recurrent_activation": "sigmoid", **({"reset_after": True} if name == "GRU" else {})}
            layer = (cudnn_class(k, name) if fast else getattr(L, name))(4, return_sequences=both, name="rnn", **options)
            layer = L.Bidirectional(layer, name="both") if both else layer
            out.append(k.models.Model(i, layer(i)))
        return out
    for name in ("LSTM", "GRU"):
        for both in (False, True):
            def build(k, name=name, both=both):
                fast, plain_one = models(k, name, both)
                return fast, [steps()], plain_one
            build.__name__ = f"cudnn_{name.lower()}{'_both' if both else ''}"
            case(TFK)(build)


add_cudnn()


def as_keras1(path):
    """Rewrites an H5 of Keras 2 as Keras 1 stored it: one matrix a gate, LSTM's in the order i, c, f, o."""
    import h5py
    with h5py.File(path, "r+") as file:
        for where in (file, file["model_weights"]):  # Keras takes a file that does not say for one of Keras 1
            where.attrs.pop("keras_version", None)
        for group in file["model_weights"].values():
            stored = list(group.attrs["weight_names"])
            was_text = bool(stored) and isinstance(stored[0], str)
            names = [n if was_text else n.decode() for n in stored]
            values = [group[n][()] for n in names]
            if len(names) % 3 or not names:
                continue
            new = {}
            for at in range(0, len(names), 3):
                kernel, recurrent, bias = values[at:at + 3]
                gates = recurrent.shape[-1] // recurrent.shape[-2]
                if gates < 3:
                    continue
                order = (0, 2, 1, 3) if gates == 4 else (0, 1, 2)
                cut = [np.split(v, gates, -1) for v in (kernel, recurrent, bias)]
                for gate in order:
                    for letter, part in zip("WUb", cut):
                        new[f"{names[at]}_{letter}_{gate}"] = part[gate]
            for n in names:
                del group[n]
            for n, v in new.items():
                group[n] = v
            del group.attrs["weight_names"]
            group.attrs["weight_names"] = list(new) if was_text else np.array(list(new), dtype="S")


def add_keras1():
    def build(k, name, both):
        L = k.layers
        i = L.Input(shape=(6, 5))
        layer = getattr(L, name)(4, return_sequences=True, **({"reset_after": False} if name == "GRU" else {}))
        return k.models.Model(i, (L.Bidirectional(layer) if both else layer)(i)), [steps()], as_keras1
    for name in ("LSTM", "GRU"):
        for both in (False, True):
            def one(k, name=name, both=both):
                return build(k, name, both)
            one.__name__ = f"keras1_{name.lower()}{'_both' if both else ''}"
            case(("k225",))(one)


add_keras1()


# ---- making them ----

def world_of(name):
    if name == "k225":
        import keras
    elif name == "tfk":
        import tensorflow
        keras = tensorflow.keras
    else:
        import keras
    keras.world = name
    return keras


def randomise(model, rng):
    new = []
    for variable, value in zip(model.weights, model.get_weights()):
        path = getattr(variable, "path", None) or variable.name
        if value.dtype.kind != "f" or "seed" in path:
            new.append(value)
        elif "variance" in path:
            new.append(rng.uniform(.3, 2, value.shape).astype("float32"))
        else:
            new.append((value + rng.normal(0, .3, value.shape)).astype("float32"))
    model.set_weights(new)


def make(keras, name, folder):
    model, xs, *other = CASES[name][1](keras)
    randomise(model, np.random.default_rng(11))
    os.makedirs(folder, exist_ok=True)
    for index, x in enumerate(xs):
        np.save(f"{folder}/x{index}.npy", x)
    model.save(f"{folder}/model.h5")
    if keras.world != "k225" and not other:
        model.save(f"{folder}/model.keras")
    if other and callable(other[0]) and not hasattr(other[0], "predict"):
        other[0](f"{folder}/model.h5")  # the same model, stored another way
        model = keras.models.load_model(f"{folder}/model.h5", compile=False)
    elif other:
        model = other[0]  # the same weights, in layers that run here
        model.load_weights(f"{folder}/model.h5")
    ys = model.predict(xs if len(xs) > 1 else xs[0], batch_size=len(xs[0]), verbose=0)
    ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
    for index, y in enumerate(ys):
        np.save(f"{folder}/y{index}.npy", np.asarray(y))


def main(world, folder, *names):
    keras = world_of(world)
    for name in names or [n for n, (worlds, _) in CASES.items() if world in worlds]:
        try:
            if world != "k3":
                keras.backend.clear_session()
            make(keras, name, f"{folder}/{name}")
            print("made", name, flush=True)
        except Exception as error:  # what this Keras itself refuses
            print("refused", name, type(error).__name__, str(error).strip().replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
