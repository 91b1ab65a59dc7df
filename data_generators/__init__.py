"""Generated customers and transactions; knows nothing of the rest of the project."""
