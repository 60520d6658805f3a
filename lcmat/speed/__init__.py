"""Speed benchmarks: each is a module to run, and leaves one JSON file with its environment for the book to show."""
