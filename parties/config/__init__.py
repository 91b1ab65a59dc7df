"""A party's configuration: the file `party.toml` and how it is read, made and changed."""

from parties.config.loading import FILE, Config, decode, load, parse

__all__ = ["FILE", "Config", "decode", "load", "parse"]
