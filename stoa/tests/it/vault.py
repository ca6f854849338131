"""A client of Vault, as it comes, on a node: what of its transit engine there is here."""

import base64
import sys

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

url, token = sys.argv[1:]
# Stoa's own REST is below /v1: a client is told another place for Vault, and looks for /v1 below that.
vault = hvac.Client(url=f"{url}/vault", token=token)
transit = vault.secrets.transit


def text(plain):
    return base64.b64encode(plain.encode()).decode()


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        assert error.errors, "an error says what is wrong"
        return error
    sys.exit(f"{call.__name__} was not refused: {args} {kwargs}")


refused(InvalidPath, transit.list_keys)
key = transit.create_key("orders")["data"]
assert (key["type"], key["latest_version"], list(key["keys"])) == ("aes256-gcm96", 1, ["1"]), key
for kind in ["chacha20-poly1305", "ed25519", "ecdsa-p256"]:
    assert transit.create_key(kind, key_type=kind)["data"]["type"] == kind
transit.create_key("same", derived=True, convergent_encryption=True)
names = ["chacha20-poly1305", "ecdsa-p256", "ed25519", "orders", "same"]
assert transit.list_keys()["data"]["keys"] == names
assert vault.adapter.get("/v1/transit/keys?list=true")["data"]["keys"] == names

for name in ["orders", "chacha20-poly1305"]:
    first = transit.encrypt_data(name, plaintext=text("one"))["data"]
    assert first["ciphertext"].startswith("vault:v1:") and first["key_version"] == 1, first
    assert transit.rotate_key(name)["data"]["latest_version"] == 2
    items = [{"plaintext": text("one")}, {"plaintext": text("two"), "key_version": 1}]
    batch = transit.encrypt_data(name, batch_input=items)["data"]["batch_results"]
    assert [item["key_version"] for item in batch] == [2, 1], batch
    items = [{"ciphertext": item["ciphertext"]} for item in batch]
    opened = transit.decrypt_data(name, batch_input=items)["data"]["batch_results"]
    assert [item["plaintext"] for item in opened] == [text("one"), text("two")], opened
    newer = transit.rewrap_data(name, ciphertext=first["ciphertext"])["data"]
    assert newer["ciphertext"].startswith("vault:v2:") and "plaintext" not in newer, newer
    assert transit.decrypt_data(name, ciphertext=newer["ciphertext"])["data"]["plaintext"] == text("one")
    transit.update_key_configuration(name, min_decryption_version=2)
    refused(InvalidRequest, transit.decrypt_data, name, ciphertext=first["ciphertext"])
    failed = refused(InvalidRequest, transit.decrypt_data, name, ciphertext="vault:v2:AAAA")
    assert "do not open it" in failed.errors[0], failed.errors

data = transit.generate_data_key("orders", key_type="plaintext", bits=128)["data"]
assert len(base64.b64decode(data["plaintext"])) == 16
assert transit.decrypt_data("orders", ciphertext=data["ciphertext"])["data"]["plaintext"] == data["plaintext"]
assert "plaintext" not in transit.generate_data_key("orders", key_type="wrapped")["data"]

context = text("a table")
same = [
    transit.encrypt_data("same", plaintext=text("one"), context=context)["data"]["ciphertext"]
    for _ in range(2)
]
assert same[0] == same[1]
refused(InvalidRequest, transit.encrypt_data, "same", plaintext=text("one"))
nonce = base64.b64encode(bytes(12)).decode()
failed = refused(
    InvalidRequest, transit.encrypt_data, "same", plaintext=text("one"), context=context, nonce=nonce
)
assert any("nonce" in error for error in failed.errors), failed.errors

for name in ["ed25519", "ecdsa-p256"]:
    public = transit.read_key(name)["data"]["keys"]["1"]["public_key"]
    assert public.startswith("-----BEGIN") == (name == "ecdsa-p256"), public
    signature = transit.sign_data(name, hash_input=text("one"))["data"]["signature"]
    verify = transit.verify_signed_data
    assert verify(name, hash_input=text("one"), signature=signature)["data"]["valid"] is True
    assert verify(name, hash_input=text("two"), signature=signature)["data"]["valid"] is False
hmac = transit.generate_hmac("orders", hash_input=text("one"), algorithm="sha2-512")["data"]["hmac"]
verify = transit.verify_signed_data
good = verify("orders", hash_input=text("one"), hmac=hmac, hash_algorithm="sha2-512")
assert good["data"]["valid"] is True, good

refused(InvalidRequest, transit.delete_key, "orders")
transit.update_key_configuration("orders", deletion_allowed=True)
transit.delete_key("orders")
refused(InvalidPath, transit.read_key, "orders")
stranger = hvac.Client(url=f"{url}/vault", token="stoa_s_none")
refused(Forbidden, stranger.secrets.transit.list_keys)
print("ok")
