"""The scoring API of a label party over HTTP."""
