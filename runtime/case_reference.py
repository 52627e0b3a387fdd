"""The counts in the case catalogue's reference: `python -m runtime.case_reference docs/reference/case-catalogue.md`."""

import sys
from pathlib import Path

from city.cases import load_cases
from city.leaf import CaseCatalogue

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
    lines = ["| major | 大类 | English | subs | leaves |", "| --- | --- | --- | ---: | ---: |"]
    for major in cases.majors:
        leaves = sum(len(sub.leaves) for sub in major.subs)
        lines.append(f"| {major.code} | {major.zh} | {major.en} | {len(major.subs)} | {leaves} |")
    subs = sum(len(major.subs) for major in cases.majors)
    lines.append(f"| {len(cases.majors)} | 合计 | together | {subs} | {len(cases.leaves)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the counts into the page."""
    path = Path(sys.argv[1])
    path.write_text(with_counts(path.read_text(encoding="utf-8"), load_cases()), encoding="utf-8")


if __name__ == "__main__":
    main()
