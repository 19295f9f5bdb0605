# A map of the student, through a 1x1 convolution, is compared by direction with the patch tokens of a ViT's last layer.
# A leaf config adds the student's recorder `stage` and the connector `width`.
distiller = dict(
    type='ConfigurableDistiller',
    teacher_recorders=dict(tokens=dict(type='PatchTokens', source='backbone.layers.11')),
    loss_forward_mappings=dict(
        loss_cosine=dict(
            student=dict(from_student=True, recorder='stage', connector='width'),
            teacher=dict(from_student=False, recorder='tokens'),
        )
    ),
)
