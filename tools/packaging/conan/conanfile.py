# SPDX-License-Identifier: Apache-2.0
"""Conan 2 recipe: conan create tools/packaging/conan (the source is the tree that the recipe lies in)."""
import re
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy
from conan.tools.gnu import PkgConfigDeps
from conan.tools.layout import basic_layout
from conan.tools.meson import Meson, MesonToolchain


class Cnnfreeze(ConanFile):
    name = "cnnfreeze"
    license = "Apache-2.0"
    description = "Keras CNN to frozen TensorFlow graph, without TensorFlow"
    settings = "os", "arch", "compiler", "build_type"
    package_type = "library"
    options = {"shared": [True, False], "keras": [True, False], "images": [True, False]}
    default_options = {"shared": False, "keras": True, "images": True}
    tool_requires = "meson/[>=1.0]", "pkgconf/[>=2.0]"

    def set_version(self):
        text = (Path(self.recipe_folder) / "../../../meson.build").read_text()
        self.version = re.search(r"version: '([^']+)'", text).group(1)

    def export_sources(self):
        root = Path(self.recipe_folder) / "../../.."
        for pattern in ("meson.build", "meson_options.txt", "LICENSE", "lib/*", "include/*", "tools/*", "pkgconfig/*", "docs/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def validate(self):
        if self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("64-bit little-endian hosts only")

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("protobuf-c/[>=1.4]")
        self.requires("zlib/[>=1.2]")
        if self.options.keras:
            self.requires("hdf5/[>=1.10]")
            self.requires("jansson/[>=2.13]")
        if self.options.images:
            self.requires("libpng/[>=1.6]")
            self.requires("libjpeg/[>=9]")

    def generate(self):
        def feature(on):
            return "enabled" if on else "disabled"

        PkgConfigDeps(self).generate()
        toolchain = MesonToolchain(self)
        toolchain.project_options.update({
            "default_library": "shared" if self.options.shared else "static", "tests": "disabled", "examples": "disabled",
            "snappy": "disabled", "onednn": "disabled", "gzip": "enabled", "keras_h5": feature(self.options.keras),
            "keras_v3": feature(self.options.keras), "images": feature(self.options.images)})
        toolchain.generate()

    def build(self):
        meson = Meson(self)
        meson.configure()
        meson.build()

    def package(self):
        Meson(self).install()
        copy(self, "LICENSE", self.source_folder, Path(self.package_folder) / "licenses")

    def package_info(self):
        self.cpp_info.libs = ["cnnfreeze"]
        self.cpp_info.set_property("pkg_config_name", "cnnfreeze")
        self.cpp_info.set_property("cmake_target_name", "cnnfreeze::cnnfreeze")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["m", "pthread"]
