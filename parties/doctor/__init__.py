"""What keeps a party from its work, with a remedy for each finding."""
