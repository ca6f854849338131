"""The library of certbot, as it comes: a certificate, its successor, and the end of the first one."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import josepy
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

directory, port = sys.argv[1], int(sys.argv[2])
proofs = {}


class Host(BaseHTTPRequestHandler):
    def do_GET(self):
        proof = proofs.get(self.path)
        self.send_response(200 if proof else 404)
        self.end_headers()
        self.wfile.write((proof or "").encode())

    def log_message(self, *_):
        pass


host = ThreadingHTTPServer(("127.0.0.1", port), Host)
threading.Thread(target=host.serve_forever, daemon=True).start()

account_key = josepy.JWKRSA(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
net = client.ClientNetwork(account_key, user_agent="stoa-tests")
acme = client.ClientV2(client.ClientV2.get_directory(directory, net), net=net)
account = acme.new_account(messages.NewRegistration.from_data(email="ada@example.com", terms_of_service_agreed=True))
assert acme.query_registration(account).body.status == "valid"


def request(key, names):
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    by = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.add_extension(alternative, critical=False).sign(key, by).public_bytes(serialization.Encoding.PEM)


def obtain(key, names):
    order = acme.new_order(request(key, names))
    for authorization in order.authorizations:
        (challenge,) = [c for c in authorization.body.challenges if isinstance(c.chall, challenges.HTTP01)]
        response, proof = challenge.response_and_validation(acme.net.key)
        proofs[challenge.chall.path] = proof
        acme.answer_challenge(challenge, response)
    done = acme.poll_and_finalize(order)
    leaf, root = x509.load_pem_x509_certificates(done.fullchain_pem.encode())
    leaf.verify_directly_issued_by(root)
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(found.get_values_for_type(x509.DNSName)) == sorted(names), found
    assert leaf.public_key() == key.public_key()
    return leaf


first = obtain(ec.generate_private_key(ec.SECP256R1()), ["shop.example", "www.shop.example"])
second = obtain(ed25519.Ed25519PrivateKey.generate(), ["shop.example", "www.shop.example"])
assert first.serial_number != second.serial_number
acme.revoke(first, 1)
try:
    acme.revoke(first, 1)
    sys.exit("it was revoked twice")
except errors.ConflictError:
    pass
except messages.Error as error:
    assert error.code == "alreadyRevoked", error
try:
    acme.new_order(request(ec.generate_private_key(ec.SECP256R1()), ["*.shop.example"]))
    sys.exit("a wildcard was taken")
except messages.Error as error:
    assert error.code == "rejectedIdentifier", error
host.shutdown()
