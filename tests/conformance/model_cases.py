# SPDX-License-Identifier: Apache-2.0
"""Whole models in random configurations, for layer_worlds.py: models(world, seed, count).

Layers of every rank with odd options, chains of them, shared layers, nested models at two levels, merges of several
ranks and axes, names with slashes, float64 and float16, masks, TimeDistributed around models.
"""
import random

ACTIVATIONS = ["'relu'", "'elu'", "'selu'", "'softplus'", "'softsign'", "'tanh'", "'sigmoid'", "'hard_sigmoid'", "'linear'", "None"]


class Maker:
    def __init__(self, world, seed):
        self.world, self.r = world, random.Random(seed)
        self.tf = world != "k225"

    def pick(self, *values):
        return self.r.choice(values)

    def activation(self):
        newer = ["'gelu'", "'swish'"] if self.tf else []
        return f"activation={self.pick(*ACTIVATIONS, *newer)}"

    def options(self, n, strides=True):
        """padding, strides or dilation of a window over n dimensions."""
        out = [f"padding='{self.pick('same', 'valid')}'"]
        if strides and self.r.random() < 0.4:
            out.append(f"strides={self.r.randint(1, 2)}" if self.r.random() < 0.5 else f"strides={tuple([2] * n)}")
        elif self.r.random() < 0.4:
            out.append("dilation_rate=2")
        if self.r.random() < 0.3:
            out.append("use_bias=False")
        return out

    def conv(self, n):
        r = self.r
        kernel = r.choice([1, 2, 3, tuple(r.randint(1, 3) for _ in range(n))])
        return f"L.Conv{n}D({r.randint(1, 5)}, {kernel}, {self.activation()}, {', '.join(self.options(n))})"

    def norm(self):
        kinds = [f"L.BatchNormalization(scale={self.pick(True, False)}, center={self.pick(True, False)}, epsilon={self.pick(1e-3, 1e-2)})"]
        if self.tf:
            kinds += ["L.LayerNormalization()", "L.LayerNormalization(scale=False, epsilon=0.01)", "L.UnitNormalization()"]
        return self.r.choice(kinds)

    def activate(self):
        return self.pick(f"L.Activation({self.pick(*ACTIVATIONS[:-1])})", "L.LeakyReLU()", "L.PReLU()", "L.ELU(0.5)",
                         "L.ReLU(max_value=1.0)", "L.ReLU(negative_slope=0.1)", "L.Softmax()", "L.Dropout(0.5)")

    def image(self):
        r = self.r
        kinds = [self.conv(2), self.conv(2), self.norm(), self.activate(),
                 f"L.DepthwiseConv2D({r.randint(1, 3)}, depth_multiplier={r.randint(1, 2)}, padding='same')",
                 f"L.SeparableConv2D({r.randint(1, 4)}, {r.randint(1, 3)}, depth_multiplier={r.randint(1, 2)}, padding='{self.pick('same', 'valid')}')",
                 f"L.Conv2DTranspose({r.randint(1, 4)}, {r.randint(1, 3)}, strides={r.randint(1, 2)}, padding='{self.pick('same', 'valid')}')",
                 f"L.{self.pick('Max', 'Average')}Pooling2D({r.randint(1, 3)}, strides={self.pick('None', 1, 2)}, padding='{self.pick('same', 'valid')}')",
                 f"L.UpSampling2D({self.pick(2, (1, 3))}, interpolation='{self.pick('nearest', 'bilinear')}')",
                 f"L.ZeroPadding2D({self.pick(1, (0, 2), ((1, 0), (2, 1)))})", f"L.Cropping2D({self.pick(1, ((1, 0), (0, 1)))})",
                 f"L.Permute({self.pick((2, 1, 3), (3, 1, 2), (1, 3, 2))})", "L.SpatialDropout2D(0.3)", f"L.Dense({r.randint(1, 5)}, {self.activation()})",
                 "L.GaussianNoise(0.1)", f"L.TimeDistributed({self.conv(1)})", f"L.TimeDistributed(L.Dense({r.randint(1, 4)}))"]
        if self.world == "k3":
            kinds += [f"L.Adaptive{self.pick('Average', 'Max')}Pooling2D({self.pick(1, 2, 3, (4, 2))})"] * 2
        else:
            kinds += [f"L.LocallyConnected2D({r.randint(1, 3)}, {self.pick(1, 2, (1, 2))}, strides={r.randint(1, 2)}, {self.activation()}, "
                      f"use_bias={self.pick(True, False)})"] * 2
        if self.tf:
            kinds += [f"L.Resizing({r.randint(3, 9)}, {r.randint(3, 9)}, interpolation='{self.pick('bilinear', 'nearest')}')", "L.Rescaling(0.5, offset=-1)"]
        return r.choice(kinds)

    def steps(self):
        r = self.r
        rnn = f"L.{self.pick('LSTM', 'GRU', 'SimpleRNN')}({r.randint(1, 4)}, return_sequences=True)"
        return r.choice([self.conv(1), self.norm(), self.activate(), rnn, f"L.Bidirectional({rnn})",
                         f"L.{self.pick('Max', 'Average')}Pooling1D(2, padding='{self.pick('same', 'valid')}')", "L.UpSampling1D(2)",
                         f"L.ZeroPadding1D({self.pick(1, (0, 2))})", "L.Cropping1D(1)", f"L.SeparableConv1D({r.randint(1, 4)}, 2, padding='same')",
                         "L.Permute((2, 1))", f"L.Dense({r.randint(1, 5)}, {self.activation()})", f"L.Conv1D({r.randint(1, 4)}, 2, padding='causal')",
                         f"L.LocallyConnected1D({r.randint(1, 3)}, 2)" if self.world != "k3" else "L.AdaptiveAveragePooling1D(3)"])

    def volume(self):
        return self.r.choice([self.conv(3), self.norm(), self.activate(), f"L.{self.pick('Max', 'Average')}Pooling3D(2, padding='same')",
                              "L.UpSampling3D(2)", "L.ZeroPadding3D(1)", "L.Cropping3D(((0, 1), (1, 0), (0, 0)))",
                              f"L.Conv3DTranspose({self.r.randint(1, 3)}, 2)"])

    def row(self):
        return self.r.choice([f"L.Dense({self.r.randint(1, 6)}, {self.activation()})", self.norm(), self.activate(), "L.RepeatVector(3)",
                              "L.Dropout(0.4)", "L.ActivityRegularization(0.1)"])

    def chain(self, kind, count):
        layers = [getattr(self, kind)() for _ in range(count)]
        if kind == "row":
            layers = [layer for layer in layers if "Repeat" not in layer] or ["L.Dense(3)"]
        return layers

    def name(self, layer):
        if self.r.random() < 0.15:
            name = self.pick("a/b", "conv", "conv_1", "Block1", "block1", "x.y-z", *(["ein name", "größe"] if self.world == "k3" else []))
            return (layer[:-1] + f", name='{name}')").replace("(, ", "(") if layer.startswith("L.") and "TimeD" not in layer and "Bidir" not in layer else layer
        return layer

    def apply(self, layers, x):
        for layer in layers:
            x = f"{self.name(layer)}({x})"
        return x

    def sequential(self, layers, shape):
        return f"M.Sequential([L.InputLayer({'batch_input_shape=(None, *%s)' % (shape,) if self.world != 'k3' else 'shape=%s' % (shape,)}), {', '.join(layers)}])"

    def nested(self, layers):
        """A functional model of its own on a tensor like `t`, called on it; at two levels sometimes."""
        inner = self.apply(layers, "i")
        return f"(lambda t: (lambda i: M.Model(i, {inner})(t))(L.Input(shape=tuple(int(d) for d in t.shape[1:]))))"

    def merge(self, a, b):
        kind = self.pick("Add", "Multiply", "Average", "Maximum", "Subtract", "Concatenate", "Minimum")
        extra = f"axis={self.pick(-1, 1)}" if kind == "Concatenate" else ""
        return f"L.{kind}({extra})([{a}, {b}])"

    def model(self, number):
        r = self.r
        kind = r.choice(["image", "image", "steps", "volume", "row"])
        shape = {"image": (r.randint(5, 9), r.randint(5, 9), r.randint(1, 4)), "steps": (r.randint(4, 8), r.randint(1, 5)),
                 "volume": (4, 5, r.randint(4, 6), r.randint(1, 3)), "row": (r.randint(2, 7),)}[kind]
        layers = self.chain(kind, r.randint(1, 4))
        dtype = "float64" if self.tf and r.random() < 0.08 else "float32"
        inputs = [[list(shape), dtype, -1, 1]]
        form = r.choice(["plain", "nested", "nested2", "shared", "merge", "two", "many", "sequential", "distributed", "mask"])
        if form == "plain":
            model = self.apply(layers, "x[0]")
        elif form == "nested":
            model = f"L.Activation('tanh')({self.nested(layers)}(x[0]))"
        elif form == "nested2":
            deep = self.nested(self.chain(kind, 1) if kind == "row" else [self.norm()])
            model = f"(lambda t: (lambda i: M.Model(i, {self.apply(layers[:1], f'{deep}(i)')})(t))(L.Input(shape=tuple(int(d) for d in t.shape[1:]))))({self.apply([self.activate()], 'x[0]')})"
        elif form == "shared":
            inputs = inputs * 2
            model = f"(lambda s: {self.merge('s(x[0])', 's(x[1])')})({layers[0]})"
        elif form == "merge":
            model = f"(lambda t: {self.merge('t', self.apply([self.activate()], 't'))})({self.apply(layers, 'x[0]')})"
        elif form == "two":
            model = f"(lambda t: [t, {self.apply([self.activate()], 't')}])({self.apply(layers, 'x[0]')})"
        elif form == "many":
            inputs = inputs * 3
            model = f"L.{self.pick('Add', 'Average', 'Maximum', 'Multiply')}()([x[0], {self.apply([self.norm()], 'x[1]')}, x[2]])"
        elif form == "sequential":
            model = f"L.Flatten()({self.sequential(layers, shape)}(x[0]))"
        elif form == "distributed":
            inputs = [[[3, *shape], dtype, -1, 1]]
            model = f"L.TimeDistributed({self.sequential(layers[:1], shape)})(x[0])"
        else:
            steps = self.chain("steps", 1)
            inputs = [[[6, 3], "float32", -1, 1]]
            model = f"L.{self.pick('LSTM', 'GRU')}(3)(L.Masking(0.0)(x[0]))" if r.random() < 0.5 else self.apply(steps, "L.Masking(0.0)(x[0])")
        return {"id": f"m{number}", "inputs": inputs, "model": model}


def models(world, seed, count):
    maker = Maker(world, f"{world} {seed}")
    return [maker.model(i) for i in range(count)]
