"""The commands of ``vfl``: thin, each a call into the modules beside it."""
