# SPDX-License-Identifier: Apache-2.0
"""What Keras makes of images/ at other sizes: fit_MODE_CROP.npy. Needs keras, tensorflow and pillow < 13.

Pillow 13 chooses which side it filters first; those before always take the columns first, which differs by 1 at most.
"""
import glob
import os
import numpy as np
import tensorflow as tf
from keras.preprocessing.image import smart_resize
from keras.utils import img_to_array, load_img
from PIL import Image

here = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(os.path.join(here, "images", "*", "*")))
SIZE = 13, 20


def save(name, arrays, dtype):
    np.save(os.path.join(here, f"fit_{name}.npy"), np.stack(list(arrays)).astype(dtype))


def centered(path):
    image = Image.open(path).convert("RGB")
    width, height = image.size
    size = (16, 16 * height // width) if width <= height else (16 * width // height, 16)
    left, top = round((size[0] - 14) / 2), round((size[1] - 14) / 2)
    return np.asarray(image.resize(size, Image.BICUBIC).crop((left, top, left + 14, top + 14)))


for mode in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"):
    for crop in ("none", "aspect"):
        save(f"{mode}_{crop}", [img_to_array(load_img(path, target_size=SIZE, interpolation=mode, keep_aspect_ratio=crop == "aspect"))
                                for path in FILES], "u1")
save("bicubic_gray", [img_to_array(load_img(path, color_mode="grayscale", target_size=SIZE, interpolation="bicubic")) for path in FILES], "u1")
save("bicubic_center", map(centered, FILES), "u1")
for mode in ("nearest", "bilinear"):
    images = [tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False) for path in FILES]
    save(f"tf_{mode}_none", [tf.image.resize(image, SIZE, method=mode) for image in images], "f4")
    save(f"tf_{mode}_aspect", [smart_resize(image, SIZE, interpolation=mode) for image in images], "f4")
