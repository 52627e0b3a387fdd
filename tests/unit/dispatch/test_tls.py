"""A real PostgreSQL that takes nothing but TLS and a password, as the role hub reaches it."""

from pathlib import Path

import pytest

from core.errors import UnavailableError
from dispatch.store import Store
from runtime.config import load_config
from runtime.hub_role import database_of
from tests.unit.certificates import make_certificates
from tests.unit.dispatch.postgres import PrivatePostgres, why_not


def test_it_is_opened_over_tls_with_a_password_out_of_a_file_and_nobody_else_is_believed(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    files = make_certificates(tmp_path)
    (tmp_path / "secret").write_text(f"{PrivatePostgres.PASSWORD}\n")
    with PrivatePostgres(certificate=files.server.read_bytes()) as server:
        url = server.guarded()

        def opened(ca_file: Path) -> Store:
            path = tmp_path / "scenewatch.toml"
            path.write_text(
                f'[hub]\ndatabase_url = "{url}"\ndatabase_password_file = "secret"\ndatabase_ca_file = "{ca_file}"\n'
            )
            return Store.open(database_of(load_config(path)))

        with pytest.raises(UnavailableError, match="certificate verify failed") as caught:
            opened(files.stranger)
        assert PrivatePostgres.PASSWORD not in str(caught.value)
        with opened(files.authority) as store:
            assert store is not None
