"""What a party keeps of every message, and how others can check it."""
