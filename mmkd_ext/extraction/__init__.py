"""The pass of a frozen teacher over a data set: class means, stored outputs, and statistics of embeddings."""
