# DKD++: dkd.py, and the norm and direction of the embedding. Class means:
# tools/class_means.py studies/cifar10/kd_nd.py --out studies/cifar10/teacher_means.safetensors
_base_ = ['dkd.py', 'nd.py']

model = dict(distiller=dict(_base_.nd, distill_losses=dict(loss_nd=dict(_base_.loss_nd, loss_weight=3.5))))
