"""The cost of a training step: the student alone, with distillation, the teacher's part, and in MMRazor's engine."""
