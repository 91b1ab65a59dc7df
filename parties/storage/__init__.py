"""The storage of a party: its database, and its files of alignments, binnings and models."""
