"""The commands of `lcmat`, one module each: `add` declares its arguments, `execute` does it and returns the status."""
