# CWD: RTMDet-l teaches RTMDet-m on COCO; the neck's convolutions, each channel a distribution over positions.
_base_ = [
    '../students/rtmdet_m_300e_coco.py',
    '../_base_/teachers/rtmdet_l_300e_coco.py',
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
            student=dict(_base_.convs, in_channel=192, out_channel=256),
            teacher=dict(_base_.norms, in_channels=256),
        ),
    ),
)
custom_hooks = _base_.custom_hooks + [_base_.stop]
custom_imports = dict(imports=['mmkd_ext'])
