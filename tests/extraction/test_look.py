"""What the teacher makes of a batch, from a toy classifier."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import ToyModel, batch

from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.look import Look
from mmkd_ext.extraction.taps import Tap


class Classifier(ToyModel):
    """Its loss is a module, which is given logits and labels."""

    labels: Any = torch.tensor([2, 0, 1, 1])

    def __init__(self) -> None:
        super().__init__()
        self.loss_module = Loss()

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        logits = self.head(self.extract_feat(inputs).mean(dim=(2, 3)))
        return dict(loss=self.loss_module(logits, self.labels)) if mode == 'loss' else logits


class Loss(nn.Module):
    def forward(self, logits: Tensor, labels: Any) -> Tensor:
        return logits.sum()


def tap(source: str, data_idx: int | None) -> Tap:
    return Tap(dict(type='ModuleInputs', source=source), f'key.{source}', data_idx=data_idx)


def look(labels: Any, embedding: str = 'head') -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    model = Classifier()
    model.labels = labels
    return Look(model, dict(embedding=tap(embedding, 0), labels=tap('loss_module', 1)))(batch())


def test_embeddings_are_what_the_classifier_is_given_in_eval_mode() -> None:
    embeddings, labels = look(Classifier.labels)
    torch.manual_seed(0)
    model = Classifier().eval()
    assert torch.equal(embeddings, model.extract_feat(batch()['inputs']).mean(dim=(2, 3)))
    assert torch.equal(labels, Classifier.labels)


def test_images_are_resized_as_in_training() -> None:
    torch.manual_seed(0)
    model = Classifier()
    looks = Look(model, dict(embedding=tap('head', 0), labels=tap('loss_module', 1)), size=(16, 12))
    looks.speed_up(batch())
    embeddings, _ = looks(batch())
    expected = model.extract_feat(looks.teacher.pixels.resized(batch()['inputs'])).mean(dim=(2, 3))
    torch.testing.assert_close(embeddings, expected)
    assert looks.teacher.changes == 'resized to 16 x 12'


def test_one_hot_labels_are_classes_and_mixed_ones_are_left_for_the_sums_to_refuse() -> None:
    hot = nn.functional.one_hot(Classifier.labels)
    assert torch.equal(look(hot)[1], Classifier.labels)
    assert torch.equal(look(hot.float())[1], Classifier.labels)
    mixed = torch.full((4, 3), 1 / 3)
    assert torch.equal(look(mixed)[1], mixed)


def test_what_is_not_an_embedding_or_a_label_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r'^key\.neck: embeddings must be \(N, C\), got \(4, 4, 4, 4\)\.$'):
        look(Classifier.labels, embedding='neck')
    with pytest.raises(ConfigError, match=r'^key\.loss_module: the labels must be a tensor, got list\.$'):
        look([2, 0, 1, 1])
    with pytest.raises(ConfigError, match=r"^key\.nek: the teacher must have it, too, for the embedding, but .*'neck'"):
        look(Classifier.labels, embedding='nek')


def test_labels_of_another_stage_than_the_embeddings_are_refused() -> None:
    model = nn.Module()
    model.roi_head = nn.Module()
    model.roi_head.bbox_head = nn.ModuleList(box_head() for _ in range(2))
    taps = dict(
        embedding=Tap(dict(type='ModuleInputs', source='roi_head.bbox_head.1.fc_cls'), 'key.embedding'),
        labels=Tap(dict(type='ModuleInputs', source='roi_head.bbox_head.0.loss_cls'), 'key.labels'),
    )
    with pytest.raises(ConfigError, match=r'^key\.labels: `embedding` .* and `labels` .* of stages 1 and 0'):
        Look(model, taps)


def box_head() -> nn.Module:
    head = nn.Module()
    head.fc_cls, head.loss_cls = nn.Linear(8, 11), nn.Identity()
    return head


@pytest.mark.parametrize('source', ['head', 'backbone.norm'])
def test_a_faster_teacher_gives_the_same_embeddings(source: str) -> None:
    """Its batch norm is folded, unless what it is given is recorded."""
    torch.manual_seed(0)
    model = Classifier()
    nn.init.uniform_(model.backbone.norm.running_var, 0.5, 1.5)
    looks = Look(model, dict(embedding=tap(source, 0), labels=tap('loss_module', 1)))
    looks.record(batch())
    before = looks.embeddings['embedding'].get(0, 0).clone()
    looks.speed_up(batch())
    looks.record(batch())
    torch.testing.assert_close(looks.embeddings['embedding'].get(0, 0), before)
    assert isinstance(model.backbone.norm, nn.Identity) == (source == 'head')
