"""What a training step costs: of the student alone, with distillation, the teacher's part, and in MMRazor's engine."""
