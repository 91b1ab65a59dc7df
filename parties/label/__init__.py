"""A label party at work: aligning, training, scoring, evaluating, and what it keeps."""
