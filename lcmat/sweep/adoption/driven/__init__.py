"""What is run in each of two trees to compare them.

It comes from the newer tree and runs on either, so it uses names of `lcmat` that both have, and imports nothing else of
this project: it is a package of its own there.
"""
