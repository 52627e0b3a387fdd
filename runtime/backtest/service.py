"""Backtests that the hub is asked for: a few at once, each in a thread, kept for a while, ended when asked to."""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from console.backtests import (
    BacktestProgress,
    BacktestRequest,
    BacktestView,
    DiffRequest,
    ExplainRequest,
    PreviewRequest,
    SuggestRequest,
)
from console.backtests import Question as Asked
from console.problems import Problem, ProblemCode
from core.clock import rfc3339
from core.errors import ConfigError, ScenewatchError
from thresholds.register import RefusedError

if TYPE_CHECKING:  # kernels are slow to load: a hub loads them when it is first asked
    from runtime.backtest.answer import Question, Tell
    from runtime.backtest.ground import Ground
    from thresholds.scene import Scene

Work = Callable[["Tell", threading.Event], object]
"""Given whom to tell how far it is, and what ends it: the result."""

log = logging.getLogger("scenewatch.hub")

Kind = Literal["backtest", "preview", "diff", "explain", "suggest"]
_KINDS: dict[type, Kind] = {
    BacktestRequest: "backtest",
    PreviewRequest: "preview",
    DiffRequest: "diff",
    ExplainRequest: "explain",
    SuggestRequest: "suggest",
}
AT_ONCE = 2
KEPT = 20
_PATIENCE_S = 5.0


@dataclass(slots=True)
class _Job:
    """One of them; `lock` guards what its thread and its askers share."""

    id: str
    kind: Kind
    asked_ms: int
    cancel: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    progress: BacktestProgress = field(default_factory=lambda: BacktestProgress(what="waiting", done=0, total=0))
    result: bytes | None = None
    error: str | None = None
    thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it has no outcome yet."""
        return self.result is None and self.error is None

    def view(self) -> BacktestView:
        """As it is told."""
        with self.lock:
            state: Literal["running", "done", "failed"] = "running"
            if not self.running:
                state = "failed" if self.result is None else "done"
            return BacktestView(
                id=self.id, kind=self.kind, state=state, asked_at=rfc3339(self.asked_ms), progress=self.progress,
                result=None if self.result is None else msgspec.Raw(self.result), error=self.error,
            )  # fmt: skip


class BacktestService:
    """See `console.backtests.Backtests`.

    Args:
        ground: Gives what a question stands on, anew for each: devices and scenes may have changed.
        at_once: How many run together.
        kept: How many are remembered; the one that was asked first is forgotten first.
    """

    def __init__(self, ground: "Callable[[], Ground]", *, at_once: int = AT_ONCE, kept: int = KEPT) -> None:
        self._ground = ground
        self._at_once = at_once
        self._kept = kept
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, asked: Asked, now_ms: int) -> BacktestView:
        """See `Backtests`."""
        ground = self._ground()
        try:
            work = _work(ground, asked, now_ms)
        except RefusedError as error:
            raise Problem(ProblemCode.SCENE_REFUSED, str(error)) from error
        except ConfigError as error:
            has_text = getattr(asked, "text", None) is not None
            code = ProblemCode.SCENE_REFUSED if has_text else ProblemCode.INVALID_PARAMETER
            raise Problem(code, str(error)) from error
        job = _Job(secrets.token_hex(8), _KINDS[type(asked)], now_ms)
        with self._lock:
            # One that was ended counts until its thread has noticed.
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if len(self._threads) >= self._at_once:
                raise Problem(ProblemCode.BUSY, f"{self._at_once} backtests run already: wait for one, or end one")
            self._jobs[job.id] = job
            while len(self._jobs) > self._kept:
                oldest = next(one for one in self._jobs.values() if not one.running)
                del self._jobs[oldest.id]
            job.thread = threading.Thread(target=_run, args=(job, ground, work), name=f"backtest-{job.id}", daemon=True)
            job.thread.start()
            self._threads.append(job.thread)
        return job.view()

    def view(self, backtest: str) -> BacktestView | None:
        """See `Backtests`."""
        with self._lock:
            job = self._jobs.get(backtest)
        return None if job is None else job.view()

    def cancel(self, backtest: str) -> bool:
        """See `Backtests`."""
        with self._lock:
            job = self._jobs.pop(backtest, None)
        if job is None:
            return False
        job.cancel.set()
        return True

    def close(self) -> None:
        """See `Backtests`."""
        with self._lock:
            jobs = list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            job.cancel.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)


def _run(job: _Job, ground: "Ground", work: Work) -> None:
    from runtime.backtest.material import CancelledError  # noqa: PLC0415 - see above

    def tell(what: str, done: int, total: int) -> None:
        with job.lock:
            job.progress = BacktestProgress(what=what, done=done, total=total)

    result, failed = None, None
    try:
        result = msgspec.json.encode(work(tell, job.cancel))
    except CancelledError:
        failed = "cancelled"
    except ScenewatchError as error:
        failed = str(error)
    except Exception:
        log.exception("a backtest failed")
        failed = "the hub has a fault; its log says which"
    finally:
        ground.close()
        with job.lock:
            job.result, job.error = result, failed


def _work(ground: "Ground", asked: Asked, now_ms: int) -> Work:
    """What there is to do for a question; whatever can be refused at once is."""
    match asked:
        case BacktestRequest():
            return _backtest(ground, asked, now_ms)
        case DiffRequest():
            return _diff(ground, asked, now_ms)
        case ExplainRequest():
            return _explain(ground, asked, now_ms)
        case SuggestRequest():
            return _suggest(ground, asked, now_ms)
        case PreviewRequest():
            return _preview(ground, asked, now_ms)


def _backtest(ground: "Ground", asked: BacktestRequest, now_ms: int) -> Work:
    from runtime.backtest.answer import answer  # noqa: PLC0415 - see above

    question = _question(ground, asked, now_ms)
    return lambda tell, cancel: answer(ground, question, tell, began=time.perf_counter(), cancel=cancel)


def _diff(ground: "Ground", asked: DiffRequest, now_ms: int) -> Work:
    from runtime.backtest.answer import Question, answer, compared  # noqa: PLC0415 - see above
    from runtime.backtest.ground import range_of  # noqa: PLC0415

    second = _either(ground, asked.second, asked.text, "second")
    question = Question(
        scene=_named(ground, asked.first), other=second, span=range_of(asked.start, asked.end, now_ms)
    )  # fmt: skip

    def work(tell: "Tell", cancel: threading.Event) -> object:
        found = answer(ground, question, tell, began=time.perf_counter(), cancel=cancel)
        return compared(found, asked.first, asked.second or second.id)

    return work


def _explain(ground: "Ground", asked: ExplainRequest, now_ms: int) -> Work:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - see above

    from runtime.backtest.ground import time_of  # noqa: PLC0415
    from runtime.backtest.questions import why  # noqa: PLC0415
    from runtime.recording import feed_name  # noqa: PLC0415

    feed = feed_name(asked.feed)
    at_ms = time_of("at", asked.at, now_ms, ZoneInfo("UTC"))
    scene = None if asked.scene is None else _named(ground, asked.scene)
    return lambda tell, cancel: why(ground, feed, at_ms, tell, scene=scene, cancel=cancel)


def _suggest(ground: "Ground", asked: SuggestRequest, now_ms: int) -> Work:
    from runtime.backtest.ground import range_of  # noqa: PLC0415 - see above
    from runtime.backtest.questions import limits_worth_trying  # noqa: PLC0415

    scene, span = _either(ground, asked.scene, asked.text), range_of(asked.start, asked.end, now_ms)
    return lambda tell, cancel: limits_worth_trying(ground, scene, span, tell, cancel=cancel).found


def _preview(ground: "Ground", asked: PreviewRequest, now_ms: int) -> Work:
    from runtime.backtest.questions import in_force, publishing_now  # noqa: PLC0415 - see above

    after = _either(ground, asked.scene, asked.text)
    before = in_force(ground, after.id)
    return lambda tell, cancel: publishing_now(ground, after, before, now_ms, tell, cancel=cancel)


def _question(ground: "Ground", asked: BacktestRequest, now_ms: int) -> "Question":
    from runtime.backtest.answer import Question  # noqa: PLC0415 - see above
    from runtime.backtest.ground import range_of  # noqa: PLC0415
    from runtime.backtest.sweep import axes_of  # noqa: PLC0415
    from runtime.backtest.which import changed  # noqa: PLC0415

    scene = _either(ground, asked.scene, asked.text)
    if asked.settings:
        scene = changed(scene, asked.settings, ground.types, ground.metrics)
    return Question(
        scene=scene, span=range_of(asked.start, asked.end, now_ms, warm=asked.warm),
        warm=asked.warm is None,
        other=None if asked.compare is None else _named(ground, asked.compare), axes=tuple(axes_of(asked.sweep)),
    )  # fmt: skip


def _either(ground: "Ground", name: str | None, text: str | None, key: str = "scene") -> "Scene":
    """A scene of the register, or the one in a text."""
    from runtime.backtest.which import scene_in  # noqa: PLC0415 - see above

    if (name is None) == (text is None):
        raise ConfigError(f"give one of `{key}` (an id of the register, or id@N) and `text` (the YAML of a draft)")
    return _named(ground, name) if text is None else scene_in(text, ground.types, ground.metrics)


def _named(ground: "Ground", name: str | None) -> "Scene":
    """A scene that is in force or in the register; never a file of the hub's machine."""
    text = str(name)
    if not text.replace("-", "").replace("@", "").isalnum():
        raise ConfigError(f"{text!r} is no id of a scene")
    if ground.config is not None and ground.config.scenes.register_dir is not None:
        return ground.registered(text)
    found = next((one for one in ground.library.scenes if one.id == text), None)
    if found is None:
        raise ConfigError(f"no scene {text!r} is in force; versions (id@N) need scenes.register_dir")
    return found
