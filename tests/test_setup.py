"""What installing promises."""

from __future__ import annotations

import os

import pytest

from vfl.crypto.kernel import kernel_name


@pytest.mark.skipif(os.environ.get("VFL_NATIVE") != "1", reason="nobody asked for the native kernel")
@pytest.mark.skipif(os.environ.get("VFL_PURE_PYTHON") == "1", reason="the reference kernel was asked for")
def test_a_native_kernel_that_was_asked_for_is_in_use() -> None:
    """With VFL_NATIVE=1 the tests judge the compiled kernel; falling back to the slow one is a failure."""
    assert kernel_name().startswith("native")
