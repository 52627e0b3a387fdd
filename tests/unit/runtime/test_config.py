from pathlib import Path

import pytest

from core.errors import ConfigError
from runtime.config import Config, Stream, load_config, read_secret, write_config
from runtime.hub_role import database_of
from runtime.stream.access import Access, access


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
        (
            '[sparkplug]\nhost_id = "a/b"',
            "sparkplug.host_id: write one level of a topic: at most 64 characters without / + and #",
        ),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[stream]\nkafka_user = "x"', "stream: kafka_user goes with a password, and a password with kafka_user"),
        ('[stream]\nkafka_password = "s3cret"', "stream: kafka_user goes with a password, and a password with"),
        (
            '[stream]\nkafka_user = "x"\nkafka_password = "s3cret"\nkafka_mechanism = "PLAIN"',
            "stream: kafka_mechanism PLAIN sends the password as it is: set kafka_tls = true, or take SCRAM",
        ),
        ('[stream]\nkafka_ca_file = "ca.pem"', "stream: kafka_ca_file is of no use without TLS: set kafka_tls = true"),
        ('[stream]\nkafka_tls = true\nkafka_key_file = "k.pem"', "stream: kafka_key_file is the key of a certificate"),
        ('[history]\ninfluxdb_url = "localhost"', "history.influxdb_url: write it like http://host:8086"),
        ('[history]\ninfluxdb_ca_file = "ca.pem"', "history: influxdb_ca_file is of no use without TLS"),
        ('[hub]\ndatabase_ca_file = "ca.pem"', "hub: database_ca_file is for PostgreSQL: write database_url like"),
        (
            '[hub]\ndatabase_url = "sqlite:///x.db"\ndatabase_password_file = "p"',
            "hub: database_password_file is for PostgreSQL",
        ),
    ],
)
def test_half_a_secure_connection_is_a_mistake(path: Path, text: str, said: str) -> None:
    (line,) = refused(path, text)
    assert line.startswith(said)
    assert "s3cret" not in line


def test_files_of_secrets_and_certificates_lie_beside_the_configuration(path: Path, tmp_path: Path) -> None:
    path.write_text(
        '[stream]\nkafka_tls = true\nkafka_ca_file = "ca.pem"\nkafka_user = "x"\nkafka_password_file = "secret"\n'
        '[hub]\ndatabase_url = "postgresql://hub@db/x"\ndatabase_password_file = "secret"\n'
    )
    (tmp_path / "secret").write_text("p@ss/word\n")
    (tmp_path / "ca.pem").write_text("")
    config = load_config(path)
    assert config.stream.kafka_ca_file == tmp_path / "ca.pem"
    assert config.stream.secret() == "p@ss/word"
    assert "p@ss" not in repr(config)
    assert "p@ss" not in config.model_dump_json()
    assert database_of(config) == "postgresql://hub:p%40ss%2Fword@db/x"
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match=r"hub\.database_password_file: .*secret cannot be read: No such file"):
        database_of(config)
    with pytest.raises(ConfigError, match=r"stream\.kafka_password_file: .*secret cannot be read: No such file"):
        config.stream.secret()


def test_what_asks_for_tls_of_postgresql_checks_the_name_of_the_server(path: Path, tmp_path: Path) -> None:
    path.write_text('[hub]\ndatabase_url = "postgresql://hub@db/x"\ndatabase_ca_file = "ca.pem"')
    config = load_config(path)
    with pytest.raises(ConfigError, match=r"hub\.database_ca_file: there is no file .*ca\.pem"):
        database_of(config)
    (tmp_path / "ca.pem").write_text("")
    asked = database_of(config)
    assert "sslmode=verify-full" in asked
    assert "ca.pem" in asked


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (Stream(kafka="h:9", kafka_tls=True, kafka_ca_file=Path("/nowhere/ca.pem")), "kafka_ca_file: /nowhere/ca.pem"),
        (
            Stream(kafka="h:9", kafka_tls=True, kafka_cert_file=Path("/nowhere/us.pem")),
            "kafka_cert_file: /nowhere/us.pem with its key cannot be used: No such file",
        ),
    ],
)
def test_a_certificate_that_is_not_there_is_told_before_anything_starts(stream: Stream, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        access(stream, "a worker")


def test_both_clients_of_kafka_are_told_the_same_and_no_word_shows_the_password() -> None:
    found = Access("a:1,b:2", tls=True, user="us", password="s3cret", mechanism="SCRAM-SHA-256")  # noqa: S106
    told = found.client()
    assert (told["security.protocol"], told["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")
    assert found.urls() == "kafka://a:1;kafka://b:2"
    credentials = found.credentials()
    assert credentials is not None
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-256")  # type: ignore[attr-defined]
    assert "s3cret" not in f"{found} {found!r} {credentials!r}"
    assert Access("a:1").credentials() is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("", "scenewatch"),
        ('[broker]\nurl = "mqtt://there"', ""),
        ('[broker]\nurl = "mqtt://there"\n[sparkplug]\nhost_id = "us"', "us"),
        ('[sparkplug]\nhost_id = ""', ""),
        ('[sparkplug]\nenabled = false\nhost_id = "us"', ""),
    ],
)
def test_a_host_of_sparkplug_has_a_name_at_our_own_broker_or_where_it_is_given(
    tmp_path: Path, text: str, host: str
) -> None:
    (tmp_path / "c.toml").write_text(text)
    assert load_config(tmp_path / "c.toml").sparkplug_host() == host


def test_a_file_as_windows_writes_it_is_read(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf[broker]\r\nuser = "me"\r\n')
    assert load_config(path).broker.user == "me"


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe\x00s", "is no text in UTF-8"), (b"", "is empty: write the secret into it"), (b"\n", "is empty")],
)
def test_a_secret_that_is_none_is_told(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"--password-file: .*secret {says}"):
        read_secret("--password-file", file)


def test_a_secret_is_what_stands_in_its_file_without_mark_and_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert read_secret("broker.password_file", tmp_path / "secret") == "geheim"
