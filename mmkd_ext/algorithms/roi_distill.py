"""Distillation of two-stage detectors, region by region."""

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class RoIDistill(SingleTeacherDistill):
    """The teacher's box head sees the regions that the student sampled: the same boxes, pooled from its own FPN.

    So a region's class logits, box offsets and embedding can be compared with the teacher's. The student runs first.
    The teacher then runs its backbone, neck and box heads, without its own proposals, assignment or sampling. Its RPN
    runs only if it is recorded. Regions are recorded in the student's order, so labels are the student's:

        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls'),
            embedding=dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls'),   # data_idx=0
            labels=dict(type='ModuleInputs', source='roi_head.bbox_head.loss_cls'))    # data_idx=1

    The heads of a Cascade R-CNN are `roi_head.bbox_head.0` and so on; each stage sees the regions of the student's
    stage with the same number, or of its last stage if the student has fewer. Parts that are compared must see the same
    regions. If a student's sampler runs the head to find hard examples (OHEMSampler, PISA), that run is not recorded:
    regions, embeddings, logits and labels come from the run that is trained.

    Args:
        architecture: The student, a two-stage detector of mmdet.
        teacher: The teacher, another two-stage detector of mmdet.
        distiller: Config of the distiller.
        **kwargs: Further arguments of `SingleTeacherDistill`.

    Raises:
        ConfigError: If one of the two has no box head that runs on given regions, a teacher's recorder is on a part
            that does not run, or a loss compares heads that see different regions, encode boxes differently or, for a
            loss that assumes a softmax, have none.
    """

    sampled_regions = True
