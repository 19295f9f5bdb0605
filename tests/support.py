"""Places that several tests name."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MINI = ROOT / 'configs' / 'mini'
