"""Adopting records made by older code, after that code and today's were run side by side and agreed to the bit.

`lcmat.sweep.adoption.stages` says what is run, `driver` runs it in either tree, `ledger` keeps what was adopted.
"""
