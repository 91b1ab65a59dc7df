"""What a party keeps: its database, and its files of alignments, binnings and models."""
