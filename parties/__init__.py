"""One institution: its server, its files, its policy and its commands."""
