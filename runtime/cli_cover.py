"""`scenewatch maintenance|profile|ledger`: what people say to a running hub, and what it keeps back, in a terminal."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from alerts.sinks.wire import HubAwayError, HubClient
from core.errors import ConfigError, UnavailableError
from runtime.config import load_config

TOKEN = "SCENEWATCH_TOKEN"  # noqa: S105 - the name of a variable


class HubDesk:
    """A running hub, and what a terminal shows of it.

    Args:
        config: The configuration with `dispatch.url` and its token; or
        hub: the hub's address, with the token in the environment's SCENEWATCH_TOKEN.
        json_out: For programs.

    Raises:
        ConfigError: If neither says where the hub is.
    """

    def __init__(self, config: Path | None, hub: str | None, *, json_out: bool = False) -> None:
        settled = None if config is None else load_config(config).dispatch
        address = hub or (None if settled is None else settled.url)
        if address is None:
            raise ConfigError("say where the hub is: --hub http://127.0.0.1:8080, or -c FILE with dispatch.url")
        kept = "" if settled is None else settled.token.get_secret_value()
        self._client = HubClient(address, os.environ.get(TOKEN) or kept)
        self._json = json_out

    def show(self, path: str, **query: object) -> int:
        """A list of the hub, a line an item."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        found = self._ask("GET", f"{path}?{urlencode(given)}" if given else path)
        self._tell(found, found.get("items", [found]))
        return 0

    def maintain(self, where: Sequence[str], body: Mapping[str, object]) -> int:
        """Say that somebody works, or shelve scenes; `where` is `town=T1,T2` each.

        Raises:
            ConfigError: If a `where` is not written so, or the hub refuses.
        """
        places: dict[str, list[str]] = {}
        for text in where:
            name, sign, names = text.partition("=")
            if not sign or not names:
                raise ConfigError(f"--where {text}: write it like town=T1 or device=d1,d2")
            places.setdefault(name.strip(), []).extend(one.strip() for one in names.split(","))
        made = self._ask("POST", "/api/v1/maintenance", {**body, "where": places})
        self._tell(made, [made])
        return 0

    def say(self, path: str, **body: object) -> int:
        """Post something that people say.

        Raises:
            ConfigError: If the hub refuses.
        """
        done = self._ask("POST", path, body)
        self._tell(done, [done])
        return 0

    def show_maintenance(self, name: str) -> int:
        """One maintenance, what was behind it, and what was told at its end."""
        found = self._ask("GET", f"/api/v1/maintenance/{quote(name, safe='')}")
        self._tell(found, [found["maintenance"], *found["over"], *found["behind"]])
        return 0

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        payload = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._client.request(method, path, payload, "application/json")
        except HubAwayError as error:
            why = error.__cause__ or error
            raise UnavailableError(
                f"no hub answers at {self._client.base} ({why}): is it running, is that it?"
            ) from error
        finally:
            self._client.close()
        content = msgspec.json.decode(answer.body) if answer.body else {}
        if answer.status < 400:
            return content
        detail = content.get("detail", "") if isinstance(content, dict) else ""
        problem = f"the hub answers {answer.status}{f': {detail}' if detail else ''}"
        raise (UnavailableError if answer.status >= 500 else ConfigError)(problem)

    def _tell(self, whole: object, items: Sequence[Mapping[str, Any]]) -> None:
        if self._json:
            sys.stdout.write(msgspec.json.encode(whole).decode() + "\n")
            return
        for item in items:
            sys.stdout.write("\n    ".join(_words(item)) + "\n")
        if not items:
            sys.stdout.write("nothing 无\n")


def _words(item: Mapping[str, Any]) -> list[str]:
    """An item in both languages."""
    if "says_en" in item:
        return [item["says_en"], item["says_zh"]]
    how = ("on", "启用") if item["on"] else ("off", "停用")
    last = item["last"]
    scenes = ", ".join(item["scenes"]) or "-"
    return [f"{item['profile']}: {how[0]} {how[1]}; scenes 场景: {scenes}", *([] if last is None else _words(last))]
