# How PyTorch's convolutions start: in the released code the transform starts as its student does.
as_pytorch = dict(
    type='Kaiming', layer='Conv2d', a=5**0.5, mode='fan_in', nonlinearity='leaky_relu', distribution='uniform'
)
