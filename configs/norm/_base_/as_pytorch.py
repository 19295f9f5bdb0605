# PyTorch's default initialisation of convolutions: in the released code the transform is initialised like its student.
as_pytorch = dict(
    type='Kaiming', layer='Conv2d', a=5**0.5, mode='fan_in', nonlinearity='leaky_relu', distribution='uniform'
)
