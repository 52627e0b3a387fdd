"""The counts in the case catalogue's reference: `python -m runtime.case_reference docs/reference/case-catalogue.md`.

Beside the leaves of each major: how many of them a sensor or a video scene may raise by itself, and how many a shipped
scene that decides leads to.
"""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from city.cases import load_cases
from city.leaf import CaseCatalogue, Leaf
from runtime.known_scenes import known_scenes
from thresholds.scene_set import DECIDES

_BEGIN = "<!-- counts: python -m runtime.case_reference docs/reference/case-catalogue.md -->\n"
_END = "<!-- end of counts -->\n"


def with_counts(page: str, cases: CaseCatalogue) -> str:
    """The page with the table of `cases` between its two marks.

    Raises:
        ValueError: If the page has no such marks.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no marks for the counts")
    return before + begin + _table(cases) + end + after


def _table(cases: CaseCatalogue) -> str:
    deciding = [scene for scene in known_scenes().scenes if scene.stage in DECIDES]
    raised = {leaf for scene in deciding for _, _, leaf in scene.leaves}
    lines = [
        "| major | 大类 | English | subs | leaves | a sensor may raise 可自动发现 | a shipped scene raises 已有场景 |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for major in cases.majors:
        leaves = [leaf for sub in major.subs for leaf in sub.leaves]
        lines.append(f"| {major.code} | {major.zh} | {major.en} | {len(major.subs)} | {_counted(leaves, raised)} |")
    subs = sum(len(major.subs) for major in cases.majors)
    every = [leaf for major in cases.majors for sub in major.subs for leaf in sub.leaves]
    lines.append(f"| {len(cases.majors)} | 合计 | together | {subs} | {_counted(every, raised)} |")
    return "\n".join(lines) + "\n"


def _counted(leaves: Sequence[Leaf], raised: Collection[str | None]) -> str:
    by_sensor = sum(bool(leaf.sensors) for leaf in leaves)
    return f"{len(leaves)} | {by_sensor} | {sum(leaf.code in raised for leaf in leaves)}"


def main() -> None:
    """Write the counts into the page."""
    path = Path(sys.argv[1])
    path.write_text(with_counts(path.read_text(encoding="utf-8"), load_cases()), encoding="utf-8")


if __name__ == "__main__":
    main()
