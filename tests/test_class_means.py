import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmkd_ext.class_means import ClassMeans, fingerprint
from mmkd_ext.errors import ConfigError


def example(**metadata: str) -> ClassMeans:
    return ClassMeans(torch.arange(6.0).reshape(3, 2), torch.tensor([4, 0, 2]), metadata)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / 'means.safetensors'
    example(teacher='r50.py', layer='head.fc').save(path)
    found = ClassMeans.load(path)
    assert torch.equal(found.means, example().means)
    assert found.means.dtype == torch.float32
    assert torch.equal(found.counts, example().counts)
    assert found.counts.dtype == torch.int64
    assert found.metadata == dict(teacher='r50.py', layer='head.fc')
    assert list(tmp_path.iterdir()) == [path]


def test_the_official_json_is_read_in_any_order_and_says_nothing_of_counts(tmp_path: Path) -> None:
    path = tmp_path / 'center_emb_train.json'
    path.write_text(json.dumps({'2': [4, 5.0], '0': [0.0, 1.0], '1': [2.0, 3.0]}))
    found = ClassMeans.load(str(path))
    assert torch.equal(found.means, example().means)
    assert found.means.dtype == torch.float32
    assert found.counts.tolist() == [-1, -1, -1]
    assert found.metadata == {}
    found.check_teacher(nn.Linear(2, 2))  # nothing to check


JSON = [
    ('{"0": [1.0, 2.0], "1": [3.0]}', 'each class must have a list of equal length, got lengths 1, 2'),
    ('{"0": [1.0], "2": [3.0]}', r'has no mean of class 1, although it has one of class 2'),
    ('{"0": [1.0], "999999999999": [3.0]}', r'has no mean of class 1, although it has one'),
    ('{"0": [1.0, NaN], "1": [3.0, 1.0]}', r'the means of 1 classes \(0\) are not finite'),
    ('{"0": [1.0], "1": [1e400]}', r'the means of 1 classes \(1\) are not finite'),
    ('{"0": ["a"], "1": ["b"]}', 'some of its values are not numbers'),
    ('{"0": [[1.0]], "1": [[2.0]]}', 'some of its values are not numbers'),
    ('{"0": [], "1": []}', 'each class must have a list'),
    ('{"0": 1.0, "1": 2.0}', 'each class must have a list'),
    ('{"cat": [1.0]}', 'expected JSON of the form'),
    ('{"-1": [1.0]}', 'expected JSON of the form'),
    ('[[1.0]]', 'expected JSON of the form'),
    ('{}', 'expected JSON of the form'),
    ('{"0": [1.0', 'is neither a safetensors nor a JSON file'),
    ('', 'is neither a safetensors nor a JSON file'),
    (b'\xff\xfe{}', 'is neither a safetensors nor a JSON file'),
    (bytes(100), 'is neither a safetensors nor a JSON file'),
    (b'PK\x03\x04' + bytes(100), 'is neither a safetensors nor a JSON file'),
]


@pytest.mark.parametrize(('content', 'message'), JSON, ids=range(len(JSON)))
def test_a_file_that_holds_no_class_means_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / 'file'
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused(path, message)


def refused(path: Path, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        ClassMeans.load(path)
    text = str(error.value)
    assert re.search(message, text), text
    assert str(path) in text
    assert '\n' not in text


def test_a_file_that_is_absent_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    refused(
        tmp_path / 'x',
        r'there is no class-mean file .*x; make it with: .* mmkd_ext class_means CONFIG --out .*x$',
    )


TENSORS = [
    (dict(means=torch.zeros(3, 2)), 'it has the tensors means, not means and counts'),
    (dict(weight=torch.zeros(3)), 'it has the tensors weight'),
    (dict(means=torch.zeros(3), counts=torch.zeros(3)), r'means must be \(K, C\) and counts \(K,\), got \(3,\) and'),
    (dict(means=torch.zeros(3, 2), counts=torch.zeros(2)), r'got \(3, 2\) and \(2,\)'),
    (dict(means=torch.tensor([[0.0], [torch.inf]]), counts=torch.ones(2)), r'1 classes \(1\) are not finite'),
]


@pytest.mark.parametrize(('tensors', 'message'), TENSORS, ids=range(len(TENSORS)))
def test_safetensors_of_something_else_are_refused(tmp_path: Path, tensors: dict, message: str) -> None:
    save_file(tensors, tmp_path / 'file')
    refused(tmp_path / 'file', message)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    example().save(tmp_path / 'file')
    (tmp_path / 'file').write_bytes((tmp_path / 'file').read_bytes()[:-8])
    refused(tmp_path / 'file', 'neither a safetensors nor a JSON')


def network(**change: Any) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    for name, value in change.items():
        model.state_dict()[name.replace('__', '.')].copy_(value)
    return model


def test_a_fingerprint_is_of_the_weights_alone() -> None:
    expected = fingerprint(network())
    assert re.fullmatch('[0-9a-f]{64}', expected)
    assert fingerprint(network(**{'1__num_batches_tracked': torch.tensor(7)})) == expected
    for change in ({'0__bias': torch.ones(4)}, {'1__running_mean': torch.ones(4)}):
        assert fingerprint(network(**change)) != expected
    renamed = nn.Sequential(*reversed([*network()]))
    assert fingerprint(renamed) != expected
    reshaped = network()
    reshaped[0].weight.data = reshaped[0].weight.data.reshape(4, 1, 3, 1)
    assert fingerprint(reshaped) != expected


def test_a_fingerprint_stays_what_files_have_noted() -> None:
    model = network()
    for value in model.parameters():
        value.data.fill_(0.5)
    assert fingerprint(model) == '9d1f1834fbc7c76a5848f9bbe873bcd0a4f05fd69071e5e9278a98e61c80a259'


def test_a_fingerprint_does_not_tell_how_the_checkpoint_was_stored() -> None:
    half = {
        name: value.half() if value.is_floating_point() else value for name, value in network().state_dict().items()
    }
    model = network()
    model.load_state_dict(half)
    again = network()
    again.load_state_dict({name: value.float() for name, value in half.items()})
    assert fingerprint(model) == fingerprint(again) == fingerprint(model.half()) != fingerprint(network())


def test_means_of_another_teacher_are_refused() -> None:
    means = example(fingerprint=fingerprint(network()), checkpoint='r50.pth')
    means.check_teacher(network())
    with pytest.raises(ValueError, match=r'belong to another teacher \(r50\.pth\).*python -m mmkd_ext class_means'):
        means.check_teacher(network(**{'0__bias': torch.ones(4)}))


@pytest.mark.parametrize('classes', [['cat', 'dog'], ['dog', 'cat', 'cow'], ['cat', 'dog', 'hen']])
def test_of_a_data_set_with_other_classes_they_are_refused(classes: list[str]) -> None:
    means = example(classes=json.dumps(['cat', 'dog', 'cow']))
    means.check_data(['cat', 'dog', 'cow'])
    example().check_data(classes)  # a file that does not say
    with pytest.raises(ValueError, match='data set with the 3 classes cat, dog, cow, but this one has the'):
        means.check_data(classes)


def test_means_of_other_images_are_refused(tmp_path: Path) -> None:
    def file(**about: str) -> ClassMeans:
        return ClassMeans(torch.ones(2, 3), torch.ones(2, dtype=torch.int64), about)

    file().check_images('resized to multiples of 14')  # JSON, which says nothing
    file(teacher='a.py').check_images('')
    file(teacher='a.py', changes='resized to 16 x 16').check_images('resized to 16 x 16')
    with pytest.raises(ValueError, match='as the teacher gets them on its own, but here .* resized to 16 x 16; make'):
        file(teacher='a.py').check_images('resized to 16 x 16')
    with pytest.raises(ValueError, match='images resized to 16 x 16, but here .* as it gets them on its own; make'):
        file(teacher='a.py', changes='resized to 16 x 16').check_images('')
