"""The records that each method compares on each kind of model, with its loss, weight and connector.

Weights are those of the shipped configs (`configs/METHOD`), which take them from the papers and their code. If a kind
of model has none, those of the nearest kind are used, and a comment says so.
"""

from typing import Any, NamedTuple

from mmkd_ext.recipes.kinds import CLASSIFIER, DENSE, DETECTORS, DETR, SEGMENTOR, TWO_STAGE

SMALL = f'small {CLASSIFIER}'  # for images of about 32x32, for which papers have separate settings


class Use(NamedTuple):
    """How a method is used on a kind of model.

    Attributes:
        wants: The records that are compared: `levels` (the maps, without subsampled copies), `all levels`, `pixels`,
            `scores`, `logits`, `embedding` (and the logits), `stages`, `fused stages`, `wide maps`.
        losses: Name to config, without the numbers that depend on the models.
        connector: Config of the connector between the student's maps and the loss, without widths.
        always: Whether the connector is used even if the widths are equal.
        task_weight: Weight of a classifier's own loss, if the method's code changes it.
        warm_up: The weight grows from the first number of epochs to the second, in a run of the third number: the
            weight of all losses without a teacher, otherwise of the first loss.
        factors: The first loss's factors, the epochs at which the next factor begins, and the epochs of the run.
        clip: Whether the method's code clips gradients at norm 35.
        inherits: Whether the student starts with the teacher's neck and head if they fit.
    """

    wants: str
    losses: dict[str, dict]
    connector: dict[str, Any] | None = None
    always: bool = True
    task_weight: float | None = None
    warm_up: tuple[int, int, int] | None = None
    factors: tuple[list[float], list[int], int] | None = None
    clip: bool = False
    inherits: bool = False


class Method(NamedTuple):
    """A method.

    Attributes:
        title: Its name in the papers.
        about: What it does, as the end of a sentence that begins with the student.
        needs: What a model must have for it.
        on: Kind of the student to its use there.
        teacher: Whether it has a teacher.
    """

    title: str
    about: str
    needs: str
    on: dict[str, Use]
    teacher: bool = True


def _cwt(alpha: float, **options: Any) -> Use:
    return Use('levels', dict(loss_cwt=dict(type='CWTLoss', alpha=alpha)), dict(type='ChannelMLPConnector'), **options)


def _mgd(alpha: float, masked: float, **options: Any) -> Use:
    connector = dict(type='mmrazor.MGDConnector', lambda_mgd=masked)
    return Use('levels', dict(loss_mgd=dict(type='mmrazor.MGDLoss', alpha_mgd=alpha)), connector, **options)


def _cwd(wants: str, weight: float) -> Use:
    loss = dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=weight)
    return Use(wants, dict(loss_cwd=loss), dict(type='Conv1x1Connector'), always=False)


def _pkd(wants: str, weight: float) -> Use:
    loss = dict(type='mmrazor.PKDLoss', loss_weight=weight)
    return Use(wants, dict(loss_pkd=loss), dict(type='Conv1x1Connector'), always=False)


def _fitnet(weight: float, **connector: Any) -> Use:
    loss = dict(type='mmrazor.L2Loss', normalize=False, div_element=True, loss_weight=weight)
    return Use('levels', dict(loss_fitnet=loss), dict(type='Conv1x1Connector', **connector))


def _kd(tau: float, weight: float, **options: Any) -> Use:
    return Use('logits', dict(loss_kd=dict(type='KDLoss', tau=tau, loss_weight=weight)), **options)


def _dkd(tau: float, beta: float, **options: Any) -> Use:
    return Use('logits', dict(loss_dkd=dict(type='DKDLoss', tau=tau, alpha=1.0, beta=beta)), **options)


def _dist(tau: float) -> Use:
    return Use('logits', dict(loss_dist=dict(type='DISTLoss', tau=tau, loss_weight=2.0)))


def _nd(tau: float, weight: float, nd_weight: float, start: dict[str, float], **options: Any) -> Use:
    losses = dict(
        loss_kd=dict(type='KDLoss', tau=tau, loss_weight=weight), loss_nd=dict(type='NDLoss', loss_weight=nd_weight)
    )
    return Use('embedding', losses, dict(type='EmbedConnector', **start), always=False, **options)


def _reviewkd(wants: str, weight: float, **options: Any) -> Use:
    return Use(wants, dict(loss_hcl=dict(type='HCLLoss', loss_weight=weight)), dict(type='ABFConnector'), **options)


def _norm(**options: Any) -> Use:
    return Use('wide maps', dict(loss_norm=dict(type='NORMLoss')), **options)


_TFD = dict(loss_tfd=dict(type='TFDLoss', loss_weight=5e-3))
_TFFD = dict(_TFD, loss_intra=dict(type='IntraTFDLoss', loss_weight=4e-4))


def _self(losses: dict[str, dict]) -> dict[str, Use]:
    everywhere = dict.fromkeys((*DETECTORS, SEGMENTOR), Use('stages', losses, warm_up=(-1, 0, 12)))
    in1k, cifar = Use('stages', losses, warm_up=(-1, 19, 100)), Use('stages', losses, warm_up=(-1, 19, 240))
    return {**everywhere, CLASSIFIER: in1k, SMALL: cifar}


_DENSE_KD = Use('scores', dict(loss_dense_kd=dict(type='DenseKDLoss')))
_MAP, _DENSE_MAP = 'maps of the image', 'maps of a dense prediction'
_LOGITS = 'class logits of a softmax, of the image or of its regions'

METHODS: dict[str, Method] = {
    'cwt': Method(
        'CWT', "follows the teacher's maps through 1x1 conv, ReLU and 1x1 conv", _MAP,
        {
            TWO_STAGE: _cwt(5e-7, clip=True), DENSE: _cwt(2e-5, clip=True, inherits=True),
            DETR: _cwt(2e-5),  # nothing is published: same as one-stage detectors
            SEGMENTOR: _cwt(2e-5), CLASSIFIER: _cwt(7e-5),
        },
    ),
    'cwd': Method(
        'CWD', "follows the teacher's maps, each channel a distribution over the positions", _DENSE_MAP,
        {**dict.fromkeys(DETECTORS, _cwd('all levels', 10.0)), SEGMENTOR: _cwd('pixels', 5.0)},
    ),
    'pkd': Method(
        'PKD', "follows the teacher's maps, each channel normalised over images and positions", _DENSE_MAP,
        {
            TWO_STAGE: _pkd('levels', 6.0), DENSE: _pkd('levels', 10.0),
            DETR: _pkd('levels', 10.0),  # nothing is published: same as one-stage detectors
            SEGMENTOR: _pkd('pixels', 6.0),
        },
    ),
    'mgd': Method(
        'MGD', "restores the teacher's maps from its own, masked", _MAP,
        {
            TWO_STAGE: _mgd(5e-7, 0.45, clip=True), DENSE: _mgd(2e-5, 0.65, clip=True, inherits=True),
            DETR: _mgd(2e-5, 0.65),  # nothing is published: same as one-stage detectors
            SEGMENTOR: _mgd(2e-5, 0.75), CLASSIFIER: _mgd(7e-5, 0.15),
        },
    ),
    'fitnet': Method(
        'FitNet', "follows the teacher's maps through a 1x1 convolution, by mean squared error", _MAP,
        {
            **dict.fromkeys((*DETECTORS, SEGMENTOR), _fitnet(1.0)),
            CLASSIFIER: _fitnet(10.0, norm=True, relu=True),  # as in MMRazor's config
            SMALL: _fitnet(100.0, norm=True, relu=True),  # as in the CRD code
        },
    ),
    'kd': Method(
        'KD', "follows the teacher's class scores",
        'class scores of the image, of its regions or of the levels of a dense head',
        {
            TWO_STAGE: _kd(1.0, 1.0), DENSE: _DENSE_KD,
            CLASSIFIER: _kd(1.0, 0.5, task_weight=0.5), SMALL: _kd(4.0, 0.9, task_weight=0.1),
        },
    ),
    'dkd': Method(
        'DKD', "follows the teacher's class scores, target and other classes separately", _LOGITS,
        {TWO_STAGE: _dkd(1.0, 0.25), CLASSIFIER: _dkd(1.0, 0.5), SMALL: _dkd(4.0, 8.0, warm_up=(-1, 19, 240))},
    ),
    'dist': Method(
        'DIST', "follows the relations between the teacher's class scores", _LOGITS,
        {TWO_STAGE: _dist(1.0), CLASSIFIER: _dist(1.0), SMALL: _dist(4.0)},
    ),
    'reviewkd': Method(
        'ReviewKD', "follows the teacher's maps, its own fused from deep to shallow", 'a pyramid of maps',
        {
            **dict.fromkeys(DETECTORS, _reviewkd('all levels', 1.0)),
            CLASSIFIER: _reviewkd('fused stages', 1.0), SMALL: _reviewkd('fused stages', 5.0, warm_up=(0, 20, 240)),
        },
    ),
    'nd': Method(
        'KD++', "follows the teacher's class scores, and the norm and direction of its embeddings", _LOGITS,
        {
            TWO_STAGE: _nd(1.0, 1.0, 1.0, dict(init_std=0.01)),
            CLASSIFIER: _nd(1.0, 2.5, 1.0, dict(init_std=0.01), warm_up=(0, 5, 100)),
            SMALL: _nd(4.0, 3.5, 2.0, {}, warm_up=(0, 20, 240)),
        },
    ),
    'norm': Method(
        'NORM', "follows the teacher's maps with 8 segments of a transform that is folded away at export", _MAP,
        {
            **dict.fromkeys((TWO_STAGE, DENSE, DETR, SEGMENTOR), _norm()),
            CLASSIFIER: _norm(task_weight=1.0, factors=([0.1, 0.5, 0.9, 0.5, 0.1], [5, 15, 60, 80], 100)),
            SMALL: _norm(task_weight=0.125, factors=([0.1, 0.5, 1.0, 0.5, 0.1], [10, 20, 180, 210], 240)),
        },
    ),
    'tfd': Method('TFD', 'teaches its shallow stages by its deep ones', 'two stages that train', _self(_TFD), False),
    'tffd': Method(
        'Tf-FD', 'teaches its shallow stages by its deep ones, and redundant channels by salient ones',
        'two stages that train', _self(_TFFD), False,
    ),
}  # fmt: skip
