"""The optional native kernel; everything else about the package is in setup.cfg.

VFL_NATIVE=1 makes a failing build an error; VFL_NATIVE=0 skips it. Without the variable a machine
that lacks a C++ compiler installs the reference kernel alone.
"""

import os
import sys
from glob import glob

from setuptools import setup

# GCC 12 calls its own AVX-512 header uninitialised, a page for each intrinsic (its PR 105593).
FLAGS = ["-O3", "-fvisibility=hidden", "-Wno-uninitialized", "-Wno-maybe-uninitialized"]

extensions = []
if os.environ.get("VFL_NATIVE") != "0":
    from pybind11.setup_helpers import Pybind11Extension

    extensions = [
        Pybind11Extension(
            "vfl.crypto._native",
            ["vfl/crypto/_native.cpp"],
            depends=sorted(glob("vfl/crypto/native/*.hpp")),
            cxx_std=17,
            extra_compile_args=[] if sys.platform == "win32" else FLAGS,
            optional=os.environ.get("VFL_NATIVE") != "1",
        )
    ]

setup(ext_modules=extensions)
