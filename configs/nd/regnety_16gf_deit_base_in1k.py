# KD++: RegNetY-16GF teaches DeiT-B on ImageNet ("DeiT++").
# Teacher: DeiT's (82.9), a model of timm, which must be installed: pip install timm. Its weights are renamed once,
#     after a download of https://dl.fbaipublicfiles.com/deit/regnety_160-a5fe301d.pth:
#     w = torch.load('regnety_160-a5fe301d.pth')['model']
#     w = {k if k.startswith('head.') else f'backbone.timm_model.{k}': v for k, v in w.items()}
#     torch.save(w, 'checkpoints/regnety_16gf_in1k.pth')
# Class means: tools/class_means.py configs/nd/regnety_16gf_deit_base_in1k.py \
#     --out work_dirs/class_means/regnety_16gf_in1k.safetensors
# Student: _base_/students/deit_base_in1k.py, which trains it alone.
# Schedule: 300 epochs of 8 x 256 images, AdamW, lr 8e-4, cosine after a warm-up of 20 (a picture in the authors' README
#     says 200 epochs); mixup, CutMix, RandAugment, erasing; KD grows from 0 over 5. ND mixes class means as the images.
# Settings: class means are joined as the mixed images; the released code joins label smoothing, too, that is adds a
#     little of the means of the batch's other samples.
# Published top-1 (authors' README): student alone 81.8, distilled as DeiT 83.4, DeiT++ 83.6; teacher 82.9.
#     Theirs is a student with a distillation token, whose head learns the teacher's decisions, and ND is on the mean of
#     both tokens. mmpretrain does not train such a student: here logits (softly, tau 1) and embedding are the class
#     token's, so the published number is no goal to measure against.
# Checked here: with timm 1.0.31, built, and one training step on random data; not trained to the end.
_base_ = ['_base_/pairs/regnety_16gf_deit_base_in1k.py', '_base_/wiring/kd_projected.py']

model = dict(
    distiller=dict(
        _base_.distiller,  # what is recorded, and which loss gets it
        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='head.layers.head'),
            embedding=dict(type='ModuleInputs', source='head.layers.head'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        connectors=dict(embedding=dict(type='EmbedConnector', in_channels=768, out_channels=3024, init_std=0.01)),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0, loss_weight=0.5),
            loss_nd=dict(
                type='NDLoss', class_means='work_dirs/class_means/regnety_16gf_in1k.safetensors', loss_weight=1.5
            ),
        ),
    ),
)
custom_hooks = [dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=5)]
