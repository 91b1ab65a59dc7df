"""An evaluation for readers: tables, plots, and a page of both that needs nothing but itself."""
