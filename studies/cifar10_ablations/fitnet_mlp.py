# FitNet with CWT's transform, a 1x1 convolution, ReLU and a 1x1 convolution, in front of the mean squared error.
_base_ = '../cifar10/fitnet.py'

mlp = dict(_delete_=True, type='ChannelMLPConnector', in_channels=64, out_channels=64)
model = dict(distiller=dict(connectors=dict(stage=mlp)))
