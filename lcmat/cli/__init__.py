"""The commands of `lcmat`, one module each: `add` declares its words, `execute` does it and returns the exit status."""
