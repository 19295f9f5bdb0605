# How a classifier starts whose weight is as PyTorch's and whose bias is 0.
zero_bias = dict(
    type='Kaiming', layer='Linear', a=5**0.5, mode='fan_in', nonlinearity='leaky_relu', distribution='uniform'
)
