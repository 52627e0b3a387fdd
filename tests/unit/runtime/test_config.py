from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.config import Config, load_config, write_config


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scenewatch.toml"


def refused(path: Path, text: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines), lines
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_an_empty_file_is_the_defaults_in_the_folder_of_the_file(path: Path, tmp_path: Path) -> None:
    path.write_text("")
    config = load_config(path)
    assert config.data.dir == tmp_path / "scenewatch-data"
    assert config.ingest.devices == tmp_path / "devices.csv"
    assert config.scenes.settle == 1_000


def test_a_case_catalogue_of_ones_own_is_looked_for_beside_the_file(path: Path, tmp_path: Path) -> None:
    path.write_text('[scenes]\ncases = "cases"')
    assert load_config(path).scenes.cases == tmp_path / "cases"
    path.write_text("")
    assert load_config(path).scenes.cases is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[broker]\nprot = 1", "broker.prot: unknown key (did you mean port?)"),
        ("[brokers]\nport = 1", "brokers: unknown key (did you mean broker?)"),
        ("[ingest]\nxyzzy = 1", "ingest.xyzzy: unknown key"),
        ("[broker]\nport = 70000", "broker.port: Input should be less than or equal to 65535"),
        (
            '[broker]\nport = "many"',
            "broker.port: Input should be a valid integer, unable to parse string as an integer",
        ),
        ('[broker]\nurl = "mqtt.example.org"', "broker.url: write it like mqtt://host:1883 or mqtts://host:8883"),
        ('[broker]\nurl = "http://a:1"', "broker.url: write it like mqtt://host:1883 or mqtts://host:8883"),
        ('[broker]\nkind = "emqx"', "broker.kind: Input should be 'auto', 'mosquitto' or 'rumqttd'"),
        ("[broker]\nprotocol = 3", "broker.protocol: Input should be 4 or 5"),
        ("[scenes]\nsettle = true", "scenes.settle: a duration needs its unit: write it like 30s, 10m or 1h30m"),
        ('[scenes]\nsettle = "soon"', "scenes.settle: 'soon' is not a duration; write it like 30s, 10m, 1h30m or 2d"),
        ('[journal]\ndurability = "disk"', "journal.durability: Input should be 'process' or 'power'"),
        ("[ingest]\nmax_feeds = 0", "ingest.max_feeds: Input should be greater than or equal to 1"),
        ('[scenes]\npaths = "scenes"', "scenes.paths: Input should be a valid list"),
        ("broker = 1", "broker: this is a section: write [broker], and its keys below"),
        ('[broker]\nurl = "mqtt://a:99999"', "broker.url: write it like mqtt://host:1883 or mqtts://host:8883"),
        ('[dispatch]\nurl = "ftp://a"', "dispatch.url: write it like http://host:8080 or https://host"),
        ('[dispatch]\nurl = "http://[::1"', "dispatch.url: write it like http://host:8080 or https://host"),
        ("[ingest]\nmax_feeds = 1000000000000", "ingest.max_feeds: Input should be less than or equal to 16777216"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(path: Path, text: str, said: str) -> None:
    assert refused(path, text) == [said]


def test_all_mistakes_are_told_at_once(path: Path) -> None:
    lines = refused(path, '[broker]\nprot = 1\nqos = 2\n[log]\nlevel = "loud"\n')
    assert sorted(line.partition(":")[0] for line in lines) == ["broker.prot", "broker.qos", "log.level"]


def test_what_is_not_toml_is_said_with_its_line(path: Path) -> None:
    (line,) = refused(path, "[broker\nport = 1\n")
    assert line.startswith("not TOML: ")
    assert "line 1" in line


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read: No such file"):
        load_config(tmp_path / "gone.toml")


def test_a_password_is_shown_by_nothing(path: Path) -> None:
    path.write_text('[broker]\npassword = "h0rse"\n[dispatch]\ntoken = "st4ple"\n')
    config = load_config(path)
    assert "h0rse" not in repr(config)
    assert "st4ple" not in repr(config)
    assert config.broker.secret() == "h0rse"
    (line,) = refused(path, '[broker]\npassword = ["h0rse"]\n')
    assert "h0rse" not in line


def test_a_password_may_stand_in_a_file_beside_the_configuration(path: Path, tmp_path: Path) -> None:
    path.write_text('[broker]\npassword_file = "secret"\n')
    config = load_config(path)
    with pytest.raises(ConfigError, match=r"broker\.password_file: .*secret cannot be read"):
        config.broker.secret()
    (tmp_path / "secret").write_text("h0rse\n")
    assert config.broker.secret() == "h0rse"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://a", ("a", 1883, False)),
        ("mqtts://a", ("a", 8883, True)),
        ("mqtt://a:7", ("a", 7, False)),
        ("mqtt://[::1]:7", ("::1", 7, False)),
    ],
)
def test_a_broker_has_the_usual_port_unless_it_says_otherwise(url: str, address: tuple[str, int, bool]) -> None:
    assert Config.model_validate({"broker": {"url": url}}).broker.address() == address


def test_without_a_broker_there_is_no_address() -> None:
    with pytest.raises(ConfigError, match=r"broker\.url: no broker is configured"):
        Config().broker.address()


def test_what_is_written_is_read_again_and_only_by_its_owner(path: Path) -> None:
    write_config(path, {"broker": {"port": 18_831}, "scenes": {"settle": "2s"}})
    assert (load_config(path).broker.port, load_config(path).scenes.settle) == (18_831, 2_000)
    assert path.stat().st_mode & 0o077 == 0


def test_the_map_is_the_one_that_is_named_or_the_one_in_the_data_folder(path: Path, tmp_path: Path) -> None:
    path.write_text("")
    assert load_config(path).city_folder() is None
    (tmp_path / "scenewatch-data" / "city").mkdir(parents=True)
    assert load_config(path).city_folder() == tmp_path / "scenewatch-data" / "city"
    path.write_text('[city]\nfolder = "map"')
    assert load_config(path).city_folder() == tmp_path / "map"
