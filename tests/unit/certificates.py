"""Certificates of 127.0.0.1 for the servers of tests."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


@dataclass(frozen=True)
class Certificates:
    """Files: the server's key (PKCS#8) and certificate in one, who vouches for it, and somebody who does not."""

    server: Path
    authority: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    """New ones."""
    found = Certificates(folder / "server.pem", folder / "ca.pem", folder / "other.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(found.authority))
    trustme.CA().cert_pem.write_to_path(str(found.stranger))
    issued = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found.server.write_bytes(pem + issued.cert_chain_pems[0].bytes())
    return found
