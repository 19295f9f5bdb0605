# DeiT's RegNetY-16GF on ImageNet (82.9 top-1), a model of timm: pip install timm. Download its weights from
# https://dl.fbaipublicfiles.com/deit/regnety_160-a5fe301d.pth and rename them once:
#     w = torch.load('regnety_160-a5fe301d.pth')['model']
#     w = {k if k.startswith('head.') else f'backbone.timm_model.{k}': v for k, v in w.items()}
#     torch.save(w, 'checkpoints/regnety_16gf_in1k.pth')
teacher = dict(
    teacher='{{fileDirname}}/../../teachers/regnety_16gf_in1k.py',
    teacher_ckpt='checkpoints/regnety_16gf_in1k.pth',
)
