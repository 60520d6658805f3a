"""Numbers that a chapter shows and that are made once: `lcmat measure` stores them with their origin."""
