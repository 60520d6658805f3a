"""Arrays in, arrays out, without a word of machine learning: facility location, greedy choice, pursuit, projections."""
