"""The optional native kernels; everything else about the package is in setup.cfg.

VFL_NATIVE=1 makes a failing build an error; VFL_NATIVE=0 skips it. Without the variable a machine
that lacks a C++ compiler installs the reference kernel alone.
"""

import os
import sys
from glob import glob

from setuptools import setup

extensions = []
if os.environ.get("VFL_NATIVE") != "0":
    from pybind11.setup_helpers import Pybind11Extension

    extensions = [
        Pybind11Extension(
            f"vfl.{package}._native",
            [f"vfl/{package}/_native.cpp"],
            depends=sorted(glob(f"vfl/{package}/native/*.hpp")),
            cxx_std=17,
            extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-fvisibility=hidden"],
            optional=os.environ.get("VFL_NATIVE") != "1",
        )
        for package in ("crypto", "psi")
    ]

setup(ext_modules=extensions)
