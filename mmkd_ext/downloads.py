"""Files behind URLs, in the cache of torch and mmengine: downloaded once, and kept only if complete."""

import os
import re
import shutil
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import Request, urlopen
from zipfile import is_zipfile

import torch
from mmengine import dist

from mmkd_ext.distributed import local_rank
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import replacing


def download(url: str) -> Path:
    """The file of a URL in torch's hub cache, fetched by one process per machine; an error in one is raised in all."""
    folder = Path(os.environ.get('MMENGINE_HOME', torch.hub.get_dir())) / 'checkpoints'
    name = Path(urlparse(url).path).name
    path = folder / name
    if _hash_in(name) is None:
        # Without the hash that the toolboxes put in file names, a name is ambiguous: many files are called latest.pth.
        path = path.with_name(f'{path.stem}-{sha256(url.encode()).hexdigest()[:8]}{path.suffix}')
    failure = None
    # mmengine's get_local_rank expects a process group that none of its launchers creates.
    first = not dist.is_distributed() or local_rank() == 0
    if first and (not path.is_file() or _damage(path, name)):
        found = f' (in the cache, {path} {_damage(path, name)})' if path.is_file() else ''
        try:
            _fetch(url, path)
        except (OSError, HTTPException, ValueError, ImportError) as error:
            failure = f'{url} cannot be fetched: {error}{found}; download it by hand and give its path.'
    failures = [text for text in dist.all_gather_object(failure) if text]
    if failures:
        raise ConfigError(failures[0])
    return path


def _fetch(url: str, path: Path) -> None:
    """Download a URL to `path`, which appears only once it is complete.

    Raises:
        OSError: If the download fails or breaks off, or does not match the hash in its name.
    """
    from tqdm import tqdm  # a loop that only uses the losses needs neither a download nor this package

    path.parent.mkdir(parents=True, exist_ok=True)
    request = Request(url, headers={'User-Agent': 'mmkd_ext'})
    with replacing(path) as partial:
        with urlopen(request, timeout=60) as response, partial.open('wb') as file:
            size = int(response.headers.get('Content-Length') or 0)
            with tqdm.wrapattr(file, 'write', total=size or None, desc=path.name, disable=None) as out:
                shutil.copyfileobj(response, out)
        received = partial.stat().st_size
        if size and received != size:
            raise OSError(f'the download broke off after {received} of {size} bytes')
        damage = _damage(partial, Path(urlparse(url).path).name)
        if damage:
            raise OSError(f'what came {damage}')


def _hash_in(name: str) -> str | None:
    """The first digits of a file's SHA-256, which the toolboxes and torch put in its name; dates do not count.

    Examples:
        >>> _hash_in('retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth')
        'c2398f9e'
        >>> _hash_in('segformer-20210726.pth')
    """
    found = re.search(r'-([0-9a-f]{8,64})\.[^.]+$', name)
    return None if found is None or re.fullmatch(r'20\d{6}', found[1]) else found[1]


def _damage(path: Path, name: str) -> str | None:
    """What is wrong with a downloaded file, as far as one can tell without reading the weights.

    Args:
        path: The file.
        name: Its name in the URL.
    """
    expected = _hash_in(name)
    digest = sha256()
    with path.open('rb') as file:
        zipped = file.read(2) == b'PK'
        file.seek(0)
        while expected and (chunk := file.read(1 << 20)):
            digest.update(chunk)
    if expected and not digest.hexdigest().startswith(expected):
        return f'has the SHA-256 {digest.hexdigest()[: len(expected)]}..., not that of its name'
    return 'is truncated' if zipped and not is_zipfile(path) else None
