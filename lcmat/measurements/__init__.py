"""Numbers that a chapter shows and that are made once: each is a module to run, which stores them with their origin."""
