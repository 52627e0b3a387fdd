"""Names for a made-up district: they sound right and belong to nobody."""

from collections.abc import Iterator

import numpy as np

Name = tuple[str, str]
"""Chinese, English."""

_FIRST: tuple[Name, ...] = (
    ("云", "Yun"), ("清", "Qing"), ("望", "Wang"), ("梧", "Wu"),
    ("银", "Yin"), ("碧", "Bi"), ("岚", "Lan"), ("雪", "Xue"),
    ("锦", "Jin"), ("芳", "Fang"), ("虹", "Hong"), ("鹤", "He"),
    ("映", "Ying"), ("枫", "Feng"), ("桂", "Gui"), ("澄", "Cheng"),
    ("朝", "Zhao"), ("暮", "Mu"), ("琴", "Qin"), ("墨", "Mo"),
    ("竹", "Zhu"), ("莲", "Lian"), ("菱", "Ling"), ("芦", "Lu"),
    ("汀", "Ting"), ("泽", "Ze"), ("鸥", "Ou"), ("星", "Xing"), ("霞", "Xia"), ("霜", "Shuang"),
)  # fmt: skip
_SECOND: tuple[Name, ...] = (
    ("桥", "qiao"), ("渡", "du"), ("塘", "tang"), ("浦", "pu"),
    ("溪", "xi"), ("湾", "wan"), ("汇", "hui"), ("泾", "jing"),
    ("港", "gang"), ("洲", "zhou"), ("园", "yuan"), ("舍", "she"),
    ("亭", "ting"), ("阁", "ge"), ("台", "tai"), ("坊", "fang"),
    ("里", "li"), ("廊", "lang"), ("林", "lin"), ("田", "tian"),
    ("泉", "quan"), ("堰", "yan"), ("浜", "bang"), ("埭", "dai"),
    ("宅", "zhai"), ("岸", "an"), ("川", "chuan"), ("坪", "ping"), ("谷", "gu"), ("岭", "ling"),
)  # fmt: skip


def names(rng: np.random.Generator) -> Iterator[Name]:
    """Names without end, none twice: two characters, after 900 of them with a number."""
    order = rng.permutation(len(_FIRST) * len(_SECOND))
    round_ = 1
    while True:
        for i in order:
            first, second = _FIRST[i // len(_SECOND)], _SECOND[i % len(_SECOND)]
            zh, en = first[0] + second[0], first[1] + second[1]
            yield (zh, en) if round_ == 1 else (f"{zh}{round_}", f"{en} {round_}")
        round_ += 1
