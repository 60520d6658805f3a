"""What is stored of a run: its record, where that came from, which code and which machine made it."""
