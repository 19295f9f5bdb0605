"""What a frozen teacher makes of a whole data set: class means, and statistics of embeddings."""
