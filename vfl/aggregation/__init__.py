"""What every algorithm stands on: encrypted rows, their sums by group, and a party's tables and journals."""
