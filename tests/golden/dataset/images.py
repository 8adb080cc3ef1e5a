"""Makes images/ and what OpenCV makes of them at 8 x 8, grey: images_gray.npy. Needs opencv-python-headless, numpy."""
import os
import cv2
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(3)


def picture(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 80 * np.sin(x / (3 + c) + y / (5 - c)) + rng.integers(-40, 40, (height, width)) for c in range(channels)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


FILES = {
    "a/1.png": (16, 16, 3), "a/2.png": (20, 30, 1), "a/3.jpg": (37, 29, 3),
    "b/1.png": (5, 6, 3), "b/2.png": (24, 24, 4), "b/3.png": (9, 7, 3),
}
gray = []
for name, shape in FILES.items():
    path = os.path.join(here, "images", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    cv2.imwrite(path, picture(*shape))
    resized = cv2.resize(cv2.imread(path), (8, 8), interpolation=cv2.INTER_AREA)
    gray.append(cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32))
np.save(os.path.join(here, "images_gray.npy"), np.stack(gray))
