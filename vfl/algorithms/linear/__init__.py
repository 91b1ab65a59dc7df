"""Linear models by Newton directions: sums under masks, and directions that feature parties offer."""
