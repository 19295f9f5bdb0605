#!/usr/bin/env python
"""List the requirements that an environment lacks, and pin the packages that must not be changed.

Run it with the environment's own python. It prints one requirement per line. Packages that may be the user's own builds
(torch, torchvision, mmcv) count as installed if they import, whatever their version.
"""

import argparse
import importlib
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

OWN_BUILDS = ('torch', 'torchvision', 'mmcv')


def is_missing(line: str) -> bool:
    """Whether the requirement `line` is not met by the installed packages."""
    requirement = Requirement(line)
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        found = ''
    if requirement.name in OWN_BUILDS:
        try:
            importlib.import_module('mmcv.ops' if requirement.name == 'mmcv' else requirement.name)
        except Exception:  # a build that fails to import in any way does not count
            return True
        return False
    return not found or not requirement.specifier.contains(found, prereleases=True)


def main() -> None:
    """Read requirement files' lines, print the missing ones, write the constraints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('requirements', type=Path)
    parser.add_argument('--extra', nargs='*', default=[])
    parser.add_argument('--constraints', type=Path, required=True, help='file to write')
    parser.add_argument('--reference', type=Path, required=True, help='pins for those packages, if they are missing')
    args = parser.parse_args()
    lines = [line.split('#')[0].strip() for line in args.requirements.read_text().splitlines()]
    missing = [line for line in [*filter(None, lines), *args.extra] if is_missing(line)]
    names = {Requirement(line).name for line in missing}
    kept = {d.metadata['Name']: d.version for d in distributions()}
    pins = [f'{name}=={kept[name]}' for name in (*OWN_BUILDS, 'numpy') if name in kept and name not in names]
    if 'torch' in names:  # mmcv does not compile on the newest torch
        reference = [line.strip() for line in args.reference.read_text().splitlines()]
        pins += [
            line
            for line in reference
            if line.split('==')[0] in ('torch', 'torchvision') and line.split('==')[0] in names
        ]
    args.constraints.write_text('\n'.join(pins) + '\n')
    for line in missing:
        print(line)


if __name__ == '__main__':
    main()
