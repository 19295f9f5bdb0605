# CWD: RTMDet-s teaches RTMDet-tiny on COCO; the neck's convolutions, each channel a distribution over positions.
_base_ = [
    '../students/rtmdet_tiny_300e_coco.py',
    '../_base_/teachers/rtmdet_s_300e_coco.py',
    '../_base_/wiring/rtmdet.py',
]

model = dict(
    _delete_=True,
    type='mmkd_ext.SingleTeacherDistill',
    architecture=_base_.model,
    **_base_.teacher,
    distiller=dict(
        _base_.distiller,
        connectors=dict(
            student=dict(_base_.convs, in_channel=96, out_channel=128),
            teacher=dict(_base_.norms, in_channels=128),
        ),
    ),
)
custom_hooks = _base_.custom_hooks + [_base_.stop]
custom_imports = dict(imports=['mmkd_ext'])
