"""The one error of this package."""


class DataError(RuntimeError):
    """A data set is missing, damaged or not what it should be; the message names the file and the remedy."""
