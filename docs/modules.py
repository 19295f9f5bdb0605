"""A hook of the site: a line `::: mmkd_ext.losses.*` in a page stands for one entry per file of that room."""

import re
from pathlib import Path

ENTRY = '::: {}\n    options: {{show_root_heading: true, show_root_toc_entry: true}}\n'


def on_page_markdown(markdown: str, **_: object) -> str:
    """Write the entries; a new file needs no line anywhere."""

    def entries(line: re.Match) -> str:
        files = sorted(Path(line[1].replace('.', '/')).glob('[!_]*.py'))
        return '\n'.join(ENTRY.format(f'{line[1]}.{file.stem}') for file in files)

    return re.sub(r'^::: (\S+)\.\*$', entries, markdown, flags=re.MULTILINE)
