"""The validation loops that MMRazor configs name."""

from mmengine.runner import ValLoop

from mmkd_ext.registry import LOOPS


@LOOPS.register_module(name=['SingleTeacherDistillValLoop', 'SelfDistillValLoop'])
class SingleTeacherDistillValLoop(ValLoop):
    """mmengine's `ValLoop`, so that MMRazor configs run unchanged; it evaluates the student.

    MMRazor's loop of this name evaluates the frozen teacher again at every validation, for the same number each time.
    """
