"""Students and teachers as users write them: each inherits from its toolbox's own config and is narrowed for a CPU.

Everything else is the toolbox's own: heads, losses, assigners, hooks, optimisers. Each run has four steps and a
checkpoint after two.
"""

from pathlib import Path
from typing import NamedTuple

RESNET = """
backbone = dict(depth=18, base_channels=w, init_cfg=None)
channels = [w, 2 * w, 4 * w, 8 * w]
"""
FEW = 'few = dict(score_thr=0.0, nms_pre=50, max_per_img=20)\n'
DENSE = f"""{RESNET}{FEW}
head = dict(num_classes=10, in_channels=2 * w, feat_channels=2 * w, stacked_convs=1)
model = dict(backbone=backbone, neck=dict(in_channels=channels, out_channels=2 * w), bbox_head=head, test_cfg=few)
"""
TWO_STAGE = f"""{RESNET}
rcnn = dict(num_classes=10, in_channels=2 * w, fc_out_channels=4 * w)
proposals = dict(nms_pre=50, max_per_img=20)
model = dict(
    backbone=backbone,
    neck=dict(in_channels=channels, out_channels=2 * w),
    rpn_head=dict(in_channels=2 * w, feat_channels=2 * w),
    roi_head=dict(bbox_roi_extractor=dict(out_channels=2 * w), bbox_head=rcnn),
    train_cfg=dict(rpn_proposal=proposals, rcnn=dict(sampler=dict(num=16))),
    test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, max_per_img=20)),
)
"""
MASKS = f"""{TWO_STAGE}
model['roi_head']['mask_roi_extractor'] = dict(out_channels=2 * w)
model['roi_head']['mask_head'] = dict(num_classes=10, in_channels=2 * w, conv_out_channels=2 * w, num_convs=1)
"""
GFL = DENSE.replace('stacked_convs=1', "stacked_convs=1, norm_cfg=dict(type='GN', num_groups=4)")
RTMDET = f"""{FEW}
model = dict(
    backbone=dict(widen_factor=w / 64, deepen_factor=0.01, init_cfg=None),
    neck=dict(in_channels=[4 * w, 8 * w, 16 * w], out_channels=4 * w),
    bbox_head=dict(num_classes=10, in_channels=4 * w, feat_channels=4 * w),
    test_cfg=few,
)
calm = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
custom_hooks = [_base_.custom_hooks[0], dict(type='PipelineSwitchHook', switch_epoch=1, switch_pipeline=calm)]
"""
DETR = f"""{RESNET}
attention, ffn = dict(embed_dims=4 * w), dict(embed_dims=4 * w, feedforward_channels=4 * w)
model = dict(
    num_queries=10,
    backbone=backbone,
    neck=dict(in_channels=channels[1:], out_channels=4 * w, norm_cfg=dict(num_groups=4)),
    encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=ffn)),
    decoder=dict(num_layers=2, layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=ffn)),
    positional_encoding=dict(num_feats=2 * w),
    bbox_head=dict(num_classes=10, embed_dims=4 * w),
    test_cfg=dict(max_per_img=10),
)
"""
# It has only one width: mmdet's decoder encodes reference points in 512 numbers.
DINO = f"""{RESNET}
layer = dict(ffn_cfg=dict(feedforward_channels=4 * w))
model = dict(
    num_queries=10,
    backbone=backbone,
    neck=dict(in_channels=channels[1:]),
    encoder=dict(num_layers=1, layer_cfg=layer),
    decoder=dict(num_layers=2, layer_cfg=layer),
    bbox_head=dict(num_classes=10),
    dn_cfg=dict(group_cfg=dict(num_dn_queries=10)),
    test_cfg=dict(max_per_img=10),
)
"""
PSPNET = """
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(depth=18, base_channels=w, stem_channels=w),
    decode_head=dict(in_channels=8 * w, channels=2 * w, num_classes=11),
    auxiliary_head=dict(in_channels=4 * w, channels=2 * w, num_classes=11),
)
"""
SEGFORMER = """
model = dict(
    data_preprocessor=dict(size=(96, 96)),
    backbone=dict(embed_dims=w, num_layers=[1, 1, 1, 1], num_heads=[1, 2, 5, 8], init_cfg=None),
    decode_head=dict(in_channels=[w, 2 * w, 5 * w, 8 * w], channels=4 * w, num_classes=11),
)
"""
SWIN = """
arch = dict(_delete_=True, embed_dims=w, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8])
model = dict(backbone=dict(arch=arch, img_size=32, pad_small_map=True), head=dict(num_classes=10, in_channels=8 * w))
"""
VIT = """
arch = dict(_delete_=True, embed_dims=w, num_layers=2, num_heads=2, feedforward_channels=2 * w)
model = dict(backbone=dict(arch=arch, img_size=32, patch_size=8), head=dict(num_classes=10, in_channels=w))
"""
CONVNEXT = """
arch = dict(_delete_=True, depths=[1, 1, 1, 1], channels=[w, 2 * w, 4 * w, 8 * w])
model = dict(backbone=dict(arch=arch), head=dict(num_classes=10, in_channels=8 * w))
"""
CIFAR_RESNET = """
model = dict(backbone=dict(base_channels=w, stem_channels=w), head=dict(num_classes=10, in_channels=8 * w))
"""

FLIP = "dict(type='RandomFlip', prob=0.5),"
MOSAIC = """
    dict(type='CachedMosaic', img_scale=(96, 96), pad_val=114.0, max_cached_images=4),
    dict(type='RandomResize', scale=(192, 192), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(96, 96)),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=(96, 96), pad_val=dict(img=(114, 114, 114))),
    dict(type='CachedMixUp', img_scale=(96, 96), ratio_range=(1.0, 1.0), max_cached_images=4, pad_val=(114, 114, 114)),
"""
DETECTION = """
read = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True, with_mask={masks})]
meta = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
train_pipeline = [*read, {augment} dict(type='PackDetInputs')]
test_pipeline = [*read, dict(type='Resize', scale=(96, 96)), dict(type='PackDetInputs', meta_keys=meta)]
coco = dict(type='CocoDataset', data_root=root, metainfo=dict(classes=tuple('0123456789')), indices=8)
train_set = dict(coco, ann_file='annotations/instances_train.json', data_prefix=dict(img='images/train/'))
val_set = dict(coco, ann_file='annotations/instances_val.json', data_prefix=dict(img='images/val/'), test_mode=True)
loader = dict(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader = dict(loader, dataset=dict(train_set, _delete_=True, pipeline=train_pipeline))
val_dataloader = dict(loader, dataset=dict(val_set, _delete_=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=root + 'annotations/instances_val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=1))
"""
SEGMENTATION = """
train_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), {augment} dict(type='PackSegInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
scenes = dict(type='BaseSegDataset', data_root=root,
              metainfo=dict(classes=('background', *'0123456789')), indices=8)
train_set = dict(scenes, data_prefix=dict(img_path='images/train', seg_map_path='semantic/train'))
val_set = dict(scenes, data_prefix=dict(img_path='images/val', seg_map_path='semantic/val'))
loader = dict(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader = dict(loader, dataset=dict(train_set, _delete_=True, pipeline=train_pipeline))
val_dataloader = dict(loader, dataset=dict(val_set, _delete_=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_iters=4, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=2))
"""
CLASSIFICATION = """
data_preprocessor = dict(num_classes=10)
train_pipeline = [dict(type='LoadImageFromFile'), {augment} dict(type='PackInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
singles = dict(type='CustomDataset', data_root=root + 'classification')
loader = dict(batch_size=20, num_workers=0, persistent_workers=False)
train_dataloader = dict(loader, dataset=dict(singles, _delete_=True, data_prefix='train', pipeline=train_pipeline))
val_dataloader = dict(loader, dataset=dict(singles, _delete_=True, data_prefix='val', pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=True)]
default_hooks = dict(checkpoint=dict(interval=1))
"""


class Family(NamedTuple):
    """A model family.

    Attributes:
        student: The toolbox's config that the student inherits from.
        teacher: The toolbox's config that the teacher inherits from.
        model: The changes that both make to it, with the width `w`.
        method: A method that fits.
        augment: Augmentation of the training images.
        masks: Whether masks are learned.
    """

    student: str
    teacher: str
    model: str
    method: str
    augment: str = FLIP
    masks: bool = False

    @property
    def scope(self) -> str:
        """The toolbox."""
        return self.student.split('::')[0]

    @property
    def checkpoints(self) -> tuple[str, str]:
        """The names of the middle and the last checkpoint."""
        return ('iter_2.pth', 'iter_4.pth') if self.scope == 'mmseg' else ('epoch_1.pth', 'epoch_2.pth')

    @property
    def metric(self) -> str:
        """A metric that the toolbox prints."""
        return dict(mmdet='coco/bbox_mAP', mmseg='mIoU', mmpretrain='accuracy/top1')[self.scope]


FAMILIES = {
    'faster_rcnn': Family(
        'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'mmdet::faster_rcnn/faster-rcnn_r101_fpn_2x_coco.py',
        TWO_STAGE,
        'dkd',
    ),
    'mask_rcnn': Family(
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
        'mmdet::mask_rcnn/mask-rcnn_r101_fpn_2x_coco.py',
        MASKS,
        'mgd',
        masks=True,
    ),
    'rtmdet': Family(
        'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        'mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py',
        RTMDET,
        'pkd',
        MOSAIC,
    ),
    'retinanet': Family(
        'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        'mmdet::retinanet/retinanet_r101_fpn_2x_coco.py',
        DENSE,
        'kd',
    ),
    'gfl': Family('mmdet::gfl/gfl_r50_fpn_1x_coco.py', 'mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py', GFL, 'reviewkd'),
    'deformable_detr': Family(
        'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        'mmdet::deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py',
        DETR,
        'fitnet',
    ),
    'dino': Family(
        'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
        'mmdet::dino/dino-4scale_r50_8xb2-24e_coco.py',
        DINO,
        'cwd',
    ),
    'pspnet': Family(
        'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
        'mmseg::pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py',
        PSPNET,
        'norm',
    ),
    'segformer': Family(
        'mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
        'mmseg::segformer/segformer_mit-b1_8xb2-160k_ade20k-512x512.py',
        SEGFORMER,
        'cwd',
    ),
    'swin': Family(
        'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
        'mmpretrain::swin_transformer/swin-small_16xb64_in1k.py',
        SWIN,
        'cwt',
    ),
    'convnext': Family(
        'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py',
        'mmpretrain::convnext/convnext-small_32xb128_in1k.py',
        CONVNEXT,
        'dist',
    ),
    'vit': Family(
        'mmpretrain::vision_transformer/vit-base-p16_32xb128-mae_in1k.py',
        'mmpretrain::vision_transformer/vit-large-p16_64xb64_in1k.py',
        VIT,
        'kd',
    ),
    'resnet': Family(
        'mmpretrain::resnet/resnet18_8xb16_cifar10.py',
        'mmpretrain::resnet/resnet34_8xb16_cifar10.py',
        CIFAR_RESNET,
        'reviewkd',
    ),
}
DATA = dict(mmdet=DETECTION, mmseg=SEGMENTATION, mmpretrain=CLASSIFICATION)


def write_config(name: str, path: Path, digits: Path, teacher: bool = False) -> None:
    """Write the config that trains a family's student, or its teacher, on the digit scenes."""
    family = FAMILIES[name]
    data = DATA[family.scope].format(augment=family.augment, masks=family.masks)
    base, width = (family.teacher, 16) if teacher else (family.student, 8)
    head = f"_base_ = {base!r}\nw = {width}\nroot = '{digits}/'\n"
    path.write_text(f'{head}{family.model}{data}randomness = dict(seed=0)\n')
