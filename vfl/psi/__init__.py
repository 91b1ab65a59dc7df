"""Private set intersection: which rows of each party are the same customer."""
