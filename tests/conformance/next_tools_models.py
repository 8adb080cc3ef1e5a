# SPDX-License-Identifier: Apache-2.0
"""Small Keras models, each a layer with one set of arguments where a network would have it, for the next tools.

    python next_tools_models.py DIR [PATTERN]     writes DIR/tfk/CASE/{model.h5,x0.npy,y0.npy,case.json}

With tf.keras of TensorFlow 2.15; weights, biases and moving statistics are drawn, so that none is neutral.
"""
import json
import os
import re
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

K, L = tf.keras, tf.keras.layers
R = np.random.RandomState(11)
CASES = {}

IMAGE, VECTOR, ROWS, VOLUME = (12, 10, 3), (10,), (9, 4), (6, 5, 4, 2)


def conv(x, n=4, k=3, **more):
    return L.Conv2D(n, k, padding="same", **more)(x)


def case(name, build, *shapes, tolerance=1e-3):
    CASES[name] = (build, shapes or (IMAGE,), tolerance)


def placed(name, make, *places):
    """A layer behind a convolution and before one, first, last, before a dense layer, behind one."""
    places = places or ("mid", "first", "last")
    if "mid" in places:
        case(name + "_mid", lambda x: conv(make()(conv(x, activation="relu")), 3))
    if "first" in places:
        case(name + "_first", lambda x: conv(make()(x), 3))
    if "last" in places:
        case(name + "_last", lambda x: make()(conv(x)))
    if "dense" in places:
        case(name + "_dense", lambda x: L.Dense(5)(make()(L.Dense(8)(x))), VECTOR)
    if "dense_last" in places:
        case(name + "_dense_last", lambda x: make()(L.Dense(8)(x)), VECTOR)


# ---- activations ----
for n in ("relu", "relu6", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid", "exponential", "gelu",
          "swish", "softmax", "linear"):
    placed(f"activation_{n}", lambda n=n: L.Activation(n if n != "relu6" else tf.nn.relu6), "mid", "last", "dense", "dense_last")
    case(f"conv_activation_{n}", lambda x, n=n: conv(x, activation=n if n != "relu6" else tf.nn.relu6))
for n, more in (("plain", {}), ("6", {"max_value": 6.0}), ("3", {"max_value": 3.0}), ("slope", {"negative_slope": 0.2}),
                ("threshold", {"threshold": 0.5}), ("all", {"max_value": 2.0, "negative_slope": 0.1, "threshold": 0.2})):
    placed(f"relu_{n}", lambda m=more: L.ReLU(**m), "mid", "last", "dense")
for a in (0.1, 0.3):
    placed(f"leaky_{a}", lambda a=a: L.LeakyReLU(a), "mid", "last", "dense_last")
for a in (1.0, 0.5):
    placed(f"elu_{a}", lambda a=a: L.ELU(a), "mid", "dense_last")
placed("prelu", lambda: L.PReLU(shared_axes=[1, 2]), "mid", "last")
placed("prelu_pixels", L.PReLU, "mid")
placed("prelu_dense", L.PReLU, "dense")
placed("thresholded", lambda: L.ThresholdedReLU(0.5), "mid")
placed("softmax_layer", L.Softmax, "last", "dense_last")
placed("softmax_axis", lambda: L.Softmax(axis=2), "last")

# ---- normalisation ----
for n, more in (("", {}), ("_no_scale", {"scale": False}), ("_no_center", {"center": False}),
                ("_neither", {"scale": False, "center": False}), ("_epsilon", {"epsilon": 1e-5})):
    placed("norm" + n, lambda m=more: L.BatchNormalization(**m))
    case(f"norm{n}_conv", lambda x, m=more: L.ReLU()(L.BatchNormalization(**m)(conv(x, use_bias=False))))
    case(f"norm{n}_dense", lambda x, m=more: L.ReLU()(L.BatchNormalization(**m)(L.Dense(6)(x))), VECTOR)
case("norm_after_pool", lambda x: conv(L.BatchNormalization()(L.MaxPool2D()(conv(x, activation="relu")))))
case("norm_before_flatten", lambda x: L.Dense(5)(L.Flatten()(L.BatchNormalization()(conv(x, activation="relu")))))
case("norm_after_flatten", lambda x: L.Dense(5)(L.BatchNormalization()(L.Flatten()(conv(x, activation="relu")))))
case("norm_after_add", lambda x: conv(L.ReLU()(L.BatchNormalization()(L.Add()([conv(x), conv(x)])))))
case("norm_depthwise", lambda x: L.ReLU(6.0)(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False)(x))))
case("norm_transposed", lambda x: L.ReLU()(L.BatchNormalization()(L.Conv2DTranspose(4, 3, 2, "same")(x))))
case("norm_rows", lambda x: L.Conv1D(4, 3)(L.BatchNormalization()(x)), ROWS)
for axis in (-1, [1, 2, 3]):
    placed(f"layer_norm_{len(axis) if isinstance(axis, list) else 1}", lambda a=axis: L.LayerNormalization(axis=a), "mid", "last")
placed("layer_norm_dense", L.LayerNormalization, "dense")
placed("group_norm", lambda: L.GroupNormalization(2), "mid")
placed("unit_norm", L.UnitNormalization, "last", "dense_last")
placed("rescaling", lambda: L.Rescaling(1 / 127.5, -1.0), "first")
placed("normalization", lambda: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 0.5]), "first")

# ---- convolutions ----
for k in (1, 2, 3, (3, 5), 5):
    for s in (1, 2, (2, 1)):
        for p in ("same", "valid"):
            name = f"{k}_{s}_{p}".replace("(", "").replace(")", "").replace(", ", "x")
            case(f"conv_{name}", lambda x, k=k, s=s, p=p: L.Conv2D(5, k, s, p)(x))
case("conv_no_bias", lambda x: L.ReLU()(conv(x, use_bias=False)))
for d in (2, 3, (2, 1)):
    for p in ("same", "valid"):
        case(f"conv_dilated_{d if isinstance(d, int) else '2x1'}_{p}", lambda x, d=d, p=p: L.Conv2D(4, 3, padding=p, dilation_rate=d,
                                                                                              activation="relu")(x))
case("conv_groups", lambda x: L.Conv2D(4, 3, groups=2, padding="same")(conv(x)))
case("conv_chain", lambda x: conv(conv(conv(x, activation="relu"), activation="relu"), activation="sigmoid"))
for m in (1, 2):
    for s in (1, 2):
        for p in ("same", "valid"):
            case(f"depthwise_{m}_{s}_{p}", lambda x, m=m, s=s, p=p: L.DepthwiseConv2D(3, s, p, depth_multiplier=m, activation="relu")(x))
            case(f"separable_{m}_{s}_{p}", lambda x, m=m, s=s, p=p: L.SeparableConv2D(5, 3, s, p, depth_multiplier=m)(x))
case("depthwise_dilated", lambda x: L.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x))
case("separable_dilated", lambda x: L.SeparableConv2D(5, 3, padding="same", dilation_rate=2)(x))
for k in (2, 3, 4):
    for s in (1, 2):
        for p in ("same", "valid"):
            case(f"transposed_{k}_{s}_{p}", lambda x, k=k, s=s, p=p: conv(L.Conv2DTranspose(4, k, s, p, activation="relu")(x), 2))
case("transposed_out", lambda x: L.Conv2DTranspose(4, 3, 2, "same", output_padding=0)(x))
case("transposed_last", lambda x: L.Conv2DTranspose(3, 4, 2, "same", use_bias=False)(conv(x)))
for p in ("same", "valid", "causal"):
    case(f"conv1d_{p}", lambda x, p=p: L.Conv1D(5, 3, padding=p, activation="relu")(x), ROWS)
case("conv1d_strides", lambda x: L.Conv1D(5, 3, 2)(x), ROWS)
case("separable1d", lambda x: L.SeparableConv1D(5, 3, padding="same")(x), ROWS)
case("conv1d_dense", lambda x: L.Dense(5)(L.GlobalMaxPool1D()(L.MaxPool1D()(L.Conv1D(5, 3)(x)))), ROWS)
for p in ("same", "valid"):
    case(f"conv3d_{p}", lambda x, p=p: L.Conv3D(4, 3, padding=p, activation="relu")(x), VOLUME)
case("pool3d", lambda x: L.MaxPool3D()(L.AveragePooling3D(2, 1)(x)), VOLUME)

# ---- pools ----
for kind, layer in (("max", L.MaxPool2D), ("average", L.AveragePooling2D)):
    for k, s in ((2, 2), (3, 2), (3, 1), (2, 3), ((2, 1), (2, 1))):
        for p in ("same", "valid"):
            label = f"{k}_{s}_{p}".replace("(", "").replace(")", "").replace(", ", "x")
            case(f"{kind}_{label}", lambda x, l=layer, k=k, s=s, p=p: l(k, s, p)(conv(x, activation="relu")))
    placed(f"{kind}_pool", layer, "mid", "first")
for kind, layer in (("max", L.GlobalMaxPool2D), ("average", L.GlobalAveragePooling2D)):
    for keep in (False, True):
        case(f"global_{kind}_{keep}", lambda x, l=layer, k=keep: l(keepdims=k)(conv(x)))
    case(f"global_{kind}_dense", lambda x, l=layer: L.Dense(5, activation="softmax")(l()(conv(x, activation="relu"))))
    case(f"global_{kind}_keep_conv", lambda x, l=layer: conv(l(keepdims=True)(conv(x, activation="relu")), 5, 1))

# ---- shapes ----
case("flatten_dense", lambda x: L.Dense(5, activation="softmax")(L.Flatten()(conv(x, activation="relu"))))
case("flatten_first", lambda x: L.Dense(5)(L.Flatten()(x)))
case("flatten_last", lambda x: L.Flatten()(conv(x)))
case("dense_chain", lambda x: L.Dense(4)(L.Dropout(0.5)(L.Dense(8, activation="relu")(x))), VECTOR)
case("dense_no_bias", lambda x: L.Dense(4, use_bias=False)(x), VECTOR)
case("dense_image", lambda x: L.Dense(5)(conv(x)))
case("dense_rows", lambda x: L.Dense(5)(x), ROWS)
case("reshape_vector", lambda x: L.Reshape((120, 4))(conv(x)))
case("reshape_image", lambda x: conv(L.Reshape((6, 20, 4))(conv(x))))
case("reshape_11c", lambda x: conv(L.Reshape((1, 1, 4))(L.GlobalAveragePooling2D()(conv(x))), 5, 1))
case("reshape_dense_image", lambda x: conv(L.Reshape((4, 3, 4))(L.Dense(48)(x))), VECTOR)
case("permute_chw", lambda x: L.Permute((3, 1, 2))(conv(x)))
case("permute_hw", lambda x: L.Permute((2, 1, 3))(conv(x)))
case("permute_flatten", lambda x: L.Dense(5)(L.Flatten()(L.Permute((3, 1, 2))(conv(x)))))
case("repeat_vector", lambda x: L.RepeatVector(3)(L.Dense(4)(x)), VECTOR)
for p in (1, (1, 2), ((0, 1), (0, 1)), ((1, 2), (3, 0))):
    label = re.sub(r"[^0-9]+", "_", str(p)).strip("_")
    case(f"pad_{label}", lambda x, p=p: L.ZeroPadding2D(p)(conv(x)))
    case(f"pad_{label}_conv", lambda x, p=p: L.Conv2D(4, 3, 2)(L.ZeroPadding2D(p)(x)))
    case(f"pad_{label}_depthwise", lambda x, p=p: L.DepthwiseConv2D(3, 2)(L.ZeroPadding2D(p)(conv(x, activation="relu"))))
    case(f"pad_{label}_pool", lambda x, p=p: L.MaxPool2D(3, 2)(L.ZeroPadding2D(p)(conv(x, activation="relu"))))
for c in (1, ((1, 2), (0, 3))):
    case(f"crop_{1 if c == 1 else 2}", lambda x, c=c: conv(L.Cropping2D(c)(conv(x))))
for size in (2, (2, 3)):
    for how in ("nearest", "bilinear"):
        placed(f"upsample_{how}_{'2' if size == 2 else '2x3'}", lambda s=size, h=how: L.UpSampling2D(s, interpolation=h), "mid", "last")
for how in ("nearest", "bilinear"):
    case(f"resizing_{how}", lambda x, h=how: conv(L.Resizing(8, 8, interpolation=h)(x)))
for n, layer in (("dropout", lambda: L.Dropout(0.3)), ("spatial", lambda: L.SpatialDropout2D(0.3)), ("noise", lambda: L.GaussianNoise(0.3))):
    placed(n, layer, "mid", "last")

# ---- merges and blocks ----
for n in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    case(f"merge_{n}", lambda x, n=n: conv(getattr(L, n)()([conv(x, activation="relu"), conv(x)])))
    case(f"merge_{n}_last", lambda x, n=n: getattr(L, n)()([conv(x), conv(x)]))
    case(f"merge_{n}_dense", lambda x, n=n: L.Dense(4)(getattr(L, n)()([L.Dense(6)(x), L.Dense(6, activation="relu")(x)])), VECTOR)
    case(f"merge_{n}_input", lambda x, n=n: getattr(L, n)()([x, conv(x, 3)]))
for n in ("Add", "Average", "Multiply"):
    case(f"merge3_{n}", lambda x, n=n: conv(getattr(L, n)()([conv(x), conv(x), conv(x)])))
for axis in (1, 2, 3, -1):
    case(f"concat_{axis}", lambda x, a=axis: conv(L.Concatenate(a)([conv(x), conv(x, activation="relu")])))
case("concat_dense", lambda x: L.Dense(4)(L.Concatenate()([L.Dense(6)(x), x])), VECTOR)
case("concat_flat", lambda x: L.Dense(4)(L.Concatenate()([L.Flatten()(conv(x)), L.GlobalMaxPool2D()(conv(x))])))
case("dot", lambda x: L.Dot(1)([L.Dense(6)(x), L.Dense(6)(x)]), VECTOR)
case("two_inputs", lambda x, y: L.Dense(4)(L.Concatenate()([L.Flatten()(conv(x)), y])), IMAGE, VECTOR)
case("two_outputs", lambda x: (lambda c: [L.Dense(3, activation="softmax")(L.Flatten()(c)), conv(c, 2)])(conv(x, activation="relu")))
case("inner_output", lambda x: (lambda c: [c, conv(c, 2)])(conv(x, activation="relu")))


def unit(x, n, k=3, s=1, act=True, bn=True):
    x = L.Conv2D(n, k, s, "same", use_bias=not bn)(x)
    x = L.BatchNormalization()(x) if bn else x
    return L.ReLU()(x) if act else x


def residual(x):
    y = unit(unit(x, 4), 4, act=False)
    return L.ReLU()(L.Add()([unit(x, 4, 1, act=False), y]))


def preact(x):
    x = conv(x)
    y = conv(L.ReLU()(L.BatchNormalization()(x)))
    return L.Add()([x, conv(L.ReLU()(L.BatchNormalization()(y)))])


def squeeze(x, keep=False):
    x = conv(x, activation="relu")
    s = L.GlobalAveragePooling2D(keepdims=keep)(x)
    s = s if keep else L.Reshape((1, 1, 4))(s)
    s = conv(conv(s, 2, 1, activation="relu"), 4, 1, activation="sigmoid")
    return L.Multiply()([x, s])


def squeeze_dense(x):
    x = conv(x, activation="relu")
    s = L.Dense(4, activation="hard_sigmoid")(L.Dense(2, activation="relu")(L.GlobalAveragePooling2D()(x)))
    return conv(L.Multiply()([x, L.Reshape((1, 1, 4))(s)]))


def mobile(x, s=1):
    y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(12, 1, use_bias=False)(x)))
    y = L.ZeroPadding2D(((0, 1), (0, 1)))(y) if s == 2 else y
    y = L.DepthwiseConv2D(3, s, "same" if s == 1 else "valid", use_bias=False)(y)
    y = L.BatchNormalization()(L.Conv2D(3, 1, use_bias=False)(L.ReLU(6.0)(L.BatchNormalization()(y))))
    return L.Add()([x, y]) if s == 1 else y


def inception(x):
    p = conv(L.AveragePooling2D(3, 1, "same")(x), 3, 1)
    return L.Concatenate()([unit(x, 3, 1), unit(unit(x, 3, 1), 4), L.MaxPool2D(3, 1, "same")(x), p])


def dense_block(x):
    y = conv(L.ReLU()(L.BatchNormalization()(x)))
    x = L.Concatenate()([x, y])
    return L.AveragePooling2D()(conv(L.ReLU()(L.BatchNormalization()(x)), 3, 1))


def unet(x):
    a = conv(x, activation="relu")
    b = conv(L.MaxPool2D()(a), 6, activation="relu")
    up = L.Conv2DTranspose(4, 2, 2)(b)
    return L.Conv2D(1, 1, activation="sigmoid")(conv(L.Concatenate()([up, a])))


def classifier(x):
    for n in (4, 6):
        x = L.MaxPool2D()(L.Activation("relu")(L.BatchNormalization()(conv(x, n))))
    x = L.Dropout(0.5)(L.Dense(10, activation="relu")(L.Flatten()(x)))
    return L.Dense(5, activation="softmax")(x)


for block in (residual, preact, squeeze, squeeze_dense, mobile, inception, dense_block, unet, classifier):
    case("block_" + block.__name__, block)
    case(f"block_{block.__name__}_classes", lambda x, b=block: L.Dense(4, activation="softmax")(L.Flatten()(b(x))))
case("block_mobile_2", lambda x: mobile(x, 2))
case("block_squeeze_keep", lambda x: squeeze(x, True))
case("block_swish", lambda x: conv(L.Multiply()([x, L.Activation("sigmoid")(x)])))


def write(folder, name):
    build, shapes, tolerance = CASES[name]
    K.backend.clear_session()
    R.seed(sum(name.encode()))
    inputs = [K.Input(s) for s in shapes]
    model = K.Model(inputs, build(*inputs))
    weights = []
    for v in model.weights:
        drawn = R.standard_normal(v.shape).astype(np.float32) * np.float32(0.3)
        weights.append(np.abs(drawn) + np.float32(0.5) if "variance" in v.name or "gamma" in v.name else drawn)
    model.set_weights([w if "count" not in v.name else v.numpy() for w, v in zip(weights, model.weights)])
    os.makedirs(folder, exist_ok=True)
    xs = [R.standard_normal((2, *s)).astype(np.float32) for s in shapes]
    ys = model(xs if len(xs) > 1 else xs[0])
    model.save(os.path.join(folder, "model.h5"), include_optimizer=False)
    for k, x in enumerate(xs):
        np.save(os.path.join(folder, f"x{k}.npy"), x)
    for k, y in enumerate(ys if isinstance(ys, (list, tuple)) else [ys]):
        np.save(os.path.join(folder, f"y{k}.npy"), y)
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump({"case": name, "tolerance": tolerance}, file)


if __name__ == "__main__":
    for case_name in CASES:
        if len(sys.argv) < 3 or re.search(sys.argv[2], case_name):
            write(os.path.join(sys.argv[1], "tfk", case_name), case_name)
    print(len(CASES), "cases")
