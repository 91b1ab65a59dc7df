"""Linear models, whichever algorithm trained them: parts, scores, and how columns take part."""
