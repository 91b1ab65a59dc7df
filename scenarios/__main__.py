"""``python -m scenarios``: the same as ``vfl scenario``, without an installation."""

from scenarios.command import scenario

scenario()
