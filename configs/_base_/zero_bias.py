# Initialisation of a classifier: PyTorch's default for the weight, 0 for the bias.
zero_bias = dict(
    type='Kaiming', layer='Linear', a=5**0.5, mode='fan_in', nonlinearity='leaky_relu', distribution='uniform'
)
