"""A feature party at work: the door, jobs, workers, and what it keeps for each peer."""
