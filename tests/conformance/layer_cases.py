# SPDX-License-Identifier: Apache-2.0
"""Layers and functions in random configurations, for layer_worlds.py: cases(world, seed, count)."""
import random

FLOATS = [-1, 1]


def given(*shapes, dtype="float32", low=-1, high=1):
    return [[list(shape), dtype, low, high] for shape in shapes]


def multi_head(r, world):
    heads, key, steps, depth = r.randint(1, 4), r.randint(1, 5), r.randint(1, 6), r.randint(1, 6)
    options = [f"{heads}", f"{key}"]
    if r.random() < 0.3:
        options.append(f"value_dim={r.randint(1, 5)}")
    if r.random() < 0.3:
        options.append(f"output_shape={r.randint(1, 6)}")
    if r.random() < 0.3:
        options.append("use_bias=False")
    if world == "k3" and r.random() < 0.3:
        options.append("use_gate=True")
    if world == "k3" and r.random() < 0.2:
        options.append("sliding_window=2")
    call = ", use_causal_mask=True" if r.random() < 0.3 else ""
    layer = f"L.MultiHeadAttention({', '.join(options)})"
    if r.random() < 0.3:
        return given((2, steps, depth)), layer[:-1] + ", attention_axes=(2,))(x[0], x[0])"
    if r.random() < 0.5:
        return given((steps, depth)), f"{layer}(x[0], x[0]{call})"
    other = r.randint(1, 6)
    return given((steps, depth), (other, r.randint(1, 5))), f"{layer}(x[0], x[1])"


def grouped(r, world):
    shared = r.randint(1, 3)
    options = [f"{r.randint(1, 5)}", f"{shared * r.randint(1, 3)}", f"{shared}"]
    if r.random() < 0.3:
        options.append("use_gate=True")
    if r.random() < 0.3:
        options.append("use_bias=False")
    call = ", use_causal_mask=True" if r.random() < 0.5 else ""
    return given((r.randint(1, 6), r.randint(1, 6))), f"L.GroupQueryAttention({', '.join(options)})(x[0], x[0]{call})"


def attention(r, world):
    depth, steps, other = r.randint(1, 6), r.randint(1, 6), r.randint(1, 6)
    if r.random() < 0.4:
        layer = f"L.AdditiveAttention(use_scale={r.random() < 0.5})"
    else:
        layer = f"L.Attention(use_scale={r.random() < 0.5}, score_mode='{r.choice(['dot', 'concat'])}')"
    call = ", use_causal_mask=True" if r.random() < 0.3 else ""
    if r.random() < 0.5:
        return given((steps, depth), (other, depth)), f"{layer}([x[0], x[1]]{call})"
    return given((steps, depth), (other, r.randint(1, 6)), (other, depth)), f"{layer}([x[0], x[1], x[2]]{call})"


def einsum_dense(r, world):
    a, b, c, d = (r.randint(1, 6) for _ in range(4))
    forms = [((a,), f"'ab,bc->ac', output_shape={d}, bias_axes='c'"), ((a, b), f"'abc,cd->abd', output_shape=(None, {d}), bias_axes='d'"),
             ((a, b), f"'...x,xy->...y', output_shape={d}"), ((a, b), f"'abc,cde->abde', output_shape=(None, {c}, {d}), bias_axes='de'"),
             ((a, b, c), f"'abcd,cde->abe', output_shape=(None, {d}), bias_axes='e'")]
    shape, text = r.choice(forms)
    return given(shape), f"L.EinsumDense({text}, activation='{r.choice(['linear', 'relu', 'tanh'])}')(x[0])"


def category(r, world):
    depth, n = r.randint(2, 7), r.randint(1, 5)
    mode = r.choice(["multi_hot", "one_hot", "count"])
    return given((1 if mode == "one_hot" else n,), dtype=r.choice(["int32", "int64"]), low=0, high=depth), \
        f"L.CategoryEncoding({depth}, output_mode='{mode}')(x[0])"


def discretization(r, world):
    bounds = sorted(round(r.uniform(-1, 1), 2) for _ in range(r.randint(1, 6)))
    mode = r.choice(["int", "multi_hot", "one_hot", "count"])
    return given((1 if mode == "one_hot" else r.randint(1, 5),)), f"L.Discretization({bounds}, output_mode='{mode}')(x[0])"


def lookup(r, world):
    words = r.sample(range(1, 30), r.randint(1, 8))
    mode = r.choice(["int", "multi_hot", "one_hot", "count"])
    options = f", num_oov_indices={r.randint(1, 2)}" + (", mask_token=0" if mode == "int" and r.random() < 0.5 else "")
    return given((1 if mode == "one_hot" else 4,), dtype="int64", low=0, high=30), \
        f"L.IntegerLookup(vocabulary={words}, output_mode='{mode}'{options})(x[0])"


def rms(r, world):
    return given((r.randint(1, 5), r.randint(1, 5))), f"L.RMSNormalization(epsilon={r.choice([1e-6, 1e-3])})(x[0])"


def spectral(r, world):
    inner = r.choice(["L.Dense(4)", "L.Conv1D(3, 2, use_bias=False)", "L.Conv1D(2, 1, activation='relu')"])
    return given((r.randint(2, 5), r.randint(1, 5))), f"L.SpectralNormalization({inner})(x[0])"


UNARY = """abs ceil cos cosh erf erfc exp exp2 expm1 floor negative relu relu6 round selu sigmoid sign silu sin sinh softplus
softsign square tan tanh tanh_shrink hard_sigmoid hard_silu hard_tanh log_sigmoid elu celu gelu arctan arcsin arcsinh arccos sinc
trunc deg2rad rad2deg isfinite isinf isnan hard_shrink soft_shrink sparse_plus sparse_sigmoid squareplus leaky_relu cbrt
log_softmax softmax""".split()
POSITIVE = "log log10 log1p log2 sqrt rsqrt reciprocal erfinv".split()
BINARY = """add subtract multiply divide maximum minimum arctan2 floor_divide mod logaddexp logaddexp2 hypot divide_no_nan equal
not_equal greater greater_equal less less_equal""".split()
REDUCTIONS = "mean sum max min prod var std logsumexp".split()
SHAPES = ["K.swapaxes(x[0], 1, 2)", "K.moveaxis(x[0], 1, 2)", "K.expand_dims(x[0], (1, 2))", "K.fliplr(x[0])", "K.roll(x[0], 2, axis=1)",
          "K.repeat(x[0], 2, axis=1)", "K.pad(x[0], ((0, 0), (1, 2), (0, 1)), constant_values=1.5)",
          "K.pad(x[0], ((0, 0), (1, 2), (0, 1)), mode='reflect')", "K.split(x[0], 2, axis=1)", "K.split(x[0], [1, 3], axis=1)",
          "K.unstack(x[0], axis=1)", "K.take(x[0], [0, 2], axis=2)", "K.where(x[0] > 0, x[0], 0.5)", "K.cast(x[0] * 5, 'int32')",
          "K.sort(x[0], axis=1)", "K.argsort(x[0], axis=-1)", "K.top_k(x[0], k=3)", "K.cumsum(x[0], axis=1)", "K.tril(x[0])",
          "K.argmax(x[0], axis=1)", "K.argmin(x[0], axis=-1, keepdims=True)", "K.norm(x[0], axis=-1)", "K.normalize(x[0], axis=-1)",
          "K.moments(x[0], axes=[1])", "K.full_like(x[0], 2.5)", "K.rms_normalization(x[0], axis=-1)", "K.count_nonzero(x[0], axis=1)"]


def function(r, world):
    kind = r.randint(0, 4)
    if kind == 0:
        return given((4, 6)), f"K.{r.choice(UNARY)}(x[0])"
    if kind == 1:
        return given((4, 6), low=0.1, high=0.9), f"K.{r.choice(POSITIVE)}(x[0])"
    if kind == 2:
        return given((4, 6), (4, 6)), f"K.{r.choice(BINARY)}(x[0], x[1])"
    if kind == 3:
        axis = r.choice(["1", "-1", "(1, 2)"])
        return given((4, 6)), f"K.{r.choice(REDUCTIONS)}(x[0], axis={axis}, keepdims={r.random() < 0.5})"
    return given((4, 6)), r.choice(SHAPES)


BUILDERS = {"tfk": [multi_head, attention, einsum_dense, category, discretization],
            "k3": [multi_head, grouped, attention, einsum_dense, category, discretization, lookup, rms, spectral, function, function,
                   function]}


def cases(world, seed, count):
    made = []
    for i in range(count):
        r = random.Random(f"{world} {seed} {i}")
        build = BUILDERS[world][i % len(BUILDERS[world])]
        inputs, model = build(r, world)
        made.append({"id": f"{build.__name__}_{i}", "inputs": inputs, "model": model})
    return made
