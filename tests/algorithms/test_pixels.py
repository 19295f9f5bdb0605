"""The adapter against the toolboxes' own data preprocessors."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.model import BaseDataPreprocessor, ImgDataPreprocessor
from torch import nn

from mmkd_ext.algorithms.pixels import PixelAdapter, describe
from mmkd_ext.errors import ConfigError

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CAFFE = dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0])


def raw(sizes: list[tuple[int, int]], kind: Any) -> dict:
    """Images of uint8 as a data loader gives them, and samples of a toolbox."""
    generator = torch.Generator().manual_seed(3)
    images = [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes]
    return dict(inputs=images, data_samples=[kind(metainfo=dict(img_shape=size)) for size in sizes])


def det(**kwargs: Any) -> tuple[nn.Module, Any]:
    models, structures = pytest.importorskip('mmdet.models'), pytest.importorskip('mmdet.structures')
    return models.DetDataPreprocessor(**kwargs), structures.DetDataSample


def cls(**kwargs: Any) -> tuple[nn.Module, Any]:
    models, structures = pytest.importorskip('mmpretrain.models'), pytest.importorskip('mmpretrain.structures')
    return models.ClsDataPreprocessor(**kwargs), structures.DataSample


def seg(**kwargs: Any) -> tuple[nn.Module, Any]:
    models, structures = pytest.importorskip('mmseg.models'), pytest.importorskip('mmseg.structures')
    return models.SegDataPreProcessor(**kwargs), structures.SegDataSample


EQUAL, UNEQUAL = [(12, 14), (12, 14)], [(12, 14), (9, 21), (17, 8)]
RGB, BGR = dict(**IMAGENET, bgr_to_rgb=True), dict(**CAFFE, bgr_to_rgb=False)
LOADED_RGB = dict(mean=IMAGENET['mean'], std=IMAGENET['std'])
HALVES = dict(mean=[127.5] * 3, std=[127.5] * 3)


class TestPixelAdapter:
    """Against the toolboxes' own preprocessors: the adapted batch is the one that the teacher's own would make."""

    @pytest.mark.parametrize(
        ('make', 'student', 'teacher', 'sizes'),
        [
            (det, dict(**RGB, pad_size_divisor=8), dict(**BGR, pad_size_divisor=8), UNEQUAL),
            (det, dict(**BGR, pad_size_divisor=8), dict(**RGB, pad_size_divisor=8), UNEQUAL),
            (det, dict(**RGB, pad_value=0), dict(**RGB, pad_value=114), UNEQUAL),
            (det, dict(**RGB, pad_value=3), dict(**HALVES, pad_value=-1), UNEQUAL),
            (det, dict(bgr_to_rgb=True), RGB, UNEQUAL),
            (det, dict(), RGB, UNEQUAL),
            (det, RGB, dict(), UNEQUAL),
            (det, dict(**HALVES, rgb_to_bgr=True), RGB, EQUAL),
            (cls, dict(**LOADED_RGB, to_rgb=True), dict(**HALVES, to_rgb=False), EQUAL),
            (cls, dict(**LOADED_RGB, to_rgb=True), dict(**CAFFE, pad_size_divisor=1), UNEQUAL),
            (cls, dict(**HALVES), dict(**LOADED_RGB, to_rgb=True, pad_value=2), UNEQUAL),
            (seg, dict(**RGB, size=(20, 24)), dict(**BGR, size=(20, 24)), UNEQUAL),
            (seg, dict(**RGB, size=(20, 24), pad_val=0), dict(**HALVES, size=(20, 24), pad_val=7), UNEQUAL),
        ],
    )  # fmt: skip
    def test_gives_the_batch_of_the_teachers_own_preprocessor(
        self, make: Any, student: dict, teacher: dict, sizes: list
    ) -> None:
        (ours, kind), (theirs, _) = make(**student), make(**teacher)
        batch = ours(raw(sizes, kind), training=True)
        expected = theirs(raw(sizes, kind), training=True)['inputs']
        before = batch['inputs'].clone()
        found = PixelAdapter(ours, theirs)(batch['inputs'], batch['data_samples'])
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
        assert torch.equal(batch['inputs'], before), "the student's batch is left as it is"

    def test_its_constants_are_sent_to_a_device_once(self) -> None:
        (ours, _), (theirs, _) = det(**RGB), det(**HALVES)
        adapter = PixelAdapter(ours, theirs)
        x = torch.zeros(1, 3, 4, 4, device='meta')
        assert adapter(x, None).is_meta
        constants = adapter._on[x.device]
        adapter(torch.zeros(1, 3, 4, 4), None)
        adapter(x, None)
        assert adapter._on[x.device] is constants
        assert len(adapter._on) == 2

    @pytest.mark.parametrize('sides', [(det, cls), (cls, det), (det, seg)])
    def test_student_and_teacher_may_be_of_different_toolboxes(self, sides: tuple) -> None:
        own = {det: RGB, cls: dict(**HALVES), seg: dict(**HALVES, bgr_to_rgb=False, size=(20, 24))}
        (ours, kind), (theirs, other) = sides[0](**own[sides[0]]), sides[1](**own[sides[1]])
        batch = ours(raw(EQUAL, kind), training=True)
        expected = theirs(raw(EQUAL, other), training=True)['inputs'][..., :12, :14]
        found = PixelAdapter(ours, theirs)(batch['inputs'], batch['data_samples'])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)

    @pytest.mark.parametrize('make', [det, cls])
    def test_equal_preprocessors_need_no_work(self, make: Any) -> None:
        (ours, kind), (theirs, _) = make(**LOADED_RGB), make(**LOADED_RGB)
        batch = ours(raw(UNEQUAL, kind), training=True)
        adapter = PixelAdapter(ours, theirs)
        assert adapter.identity
        assert adapter(batch['inputs'], batch['data_samples']) is batch['inputs']

    def test_without_normalisation_on_either_side_there_is_no_work(self) -> None:
        x = torch.randn(1, 3, 4, 4)
        assert PixelAdapter(BaseDataPreprocessor(), ImgDataPreprocessor())(x, None) is x
        # What is not a batch of images is passed on where nothing has to be done.
        assert PixelAdapter(BaseDataPreprocessor(), BaseDataPreprocessor())([x], None) == [x]

    def test_two_conversions_are_none(self) -> None:
        x = torch.randn(1, 3, 4, 4)
        both = ImgDataPreprocessor(bgr_to_rgb=True), ImgDataPreprocessor(rgb_to_bgr=True)
        assert PixelAdapter(*both)(x, None) is x

    def test_channels_are_swapped_and_nothing_else_where_only_their_order_differs(self) -> None:
        x = torch.randn(2, 3, 4, 4)
        adapter = PixelAdapter(ImgDataPreprocessor(bgr_to_rgb=True), ImgDataPreprocessor())
        assert torch.equal(adapter(x, None), x[:, [2, 1, 0]])

    def test_grey_images_are_adapted(self) -> None:
        ours, theirs = ImgDataPreprocessor(mean=[10], std=[2]), ImgDataPreprocessor(mean=[20], std=[4])
        x = torch.randn(2, 1, 4, 4)
        torch.testing.assert_close(PixelAdapter(ours, theirs)(x, None), (x * 2 + 10 - 20) / 4)

    def test_pixels_outside_of_a_shape_that_a_transform_did_not_update_are_no_padding(self) -> None:
        # As after torchvision's Resize from 6 x 5, whose wrapper in mmpretrain leaves `img_shape` as it was.
        (ours, kind), (theirs, _) = (
            cls(**LOADED_RGB, pad_size_divisor=8),
            cls(**HALVES, pad_size_divisor=8, pad_value=9),
        )
        loaded = raw(EQUAL, kind)
        expected = theirs(raw(EQUAL, kind), training=True)['inputs']
        for sample in loaded['data_samples']:
            sample.set_metainfo(dict(img_shape=(6, 5)))
        batch = ours(loaded, training=True)
        found = PixelAdapter(ours, theirs)(batch['inputs'], batch['data_samples'])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)

    def test_samples_without_a_shape_have_no_padding(self) -> None:
        x = torch.randn(2, 3, 4, 4)
        adapter = PixelAdapter(ImgDataPreprocessor(**HALVES), ImgDataPreprocessor(**HALVES, pad_value=9))
        torch.testing.assert_close(adapter(x, [SimpleNamespace(), SimpleNamespace()]), x)
        torch.testing.assert_close(adapter(x, None), x)

    def test_what_is_no_batch_of_images_is_refused_where_pixels_differ(self) -> None:
        adapter = PixelAdapter(ImgDataPreprocessor(**HALVES), ImgDataPreprocessor(**IMAGENET))
        for wrong in ([torch.zeros(3, 4, 4)], torch.zeros(3, 4, 4), torch.zeros(1, 3, 2, 4, 4)):
            with pytest.raises(ConfigError, match=r'^model\.teacher: it normalises images differently'):
                adapter(wrong, None)


def test_what_a_preprocessor_does_in_words() -> None:
    swapped = ImgDataPreprocessor(**IMAGENET, bgr_to_rgb=True)
    assert describe(swapped) == 'mean (123.7, 116.3, 103.5), std (58.4, 57.12, 57.38), channels in reverse order'
    assert describe(BaseDataPreprocessor()) == 'mean (0), std (1), channels in the order they are loaded in'
