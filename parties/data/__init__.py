"""A party's rows: read from files and databases, checked, with their canonical keys."""
