"""What several test modules share, to be imported."""
