// acme-client, as it comes: a certificate, its successor, and the end of the first one.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [tools, directoryUrl, port] = process.argv.slice(2);
const acme = createRequire(`${tools}/`)("acme-client");

const proofs = new Map();
const host = createServer((request, response) => {
    const proof = proofs.get(request.url.split("/").pop());
    response.statusCode = proof ? 200 : 404;
    response.end(proof);
}).listen(Number(port), "127.0.0.1");

const client = new acme.Client({
    directoryUrl,
    accountKey: await acme.crypto.createPrivateEcdsaKey(),
    backoffMin: 50,
    backoffMax: 200,
});
const names = ["www.localhost", "localhost"];

async function obtain(makeKey) {
    const [key, csr] = await acme.crypto.createCsr({ commonName: names[1], altNames: names }, await makeKey());
    const certificate = await client.auto({
        csr,
        email: "ada@example.com",
        termsOfServiceAgreed: true,
        // The library would look at the host itself by its name, which is no business of this test.
        skipChallengeVerification: true,
        challengeCreateFn: async (_, challenge, proof) => proofs.set(challenge.token, proof),
        challengeRemoveFn: async (_, challenge) => proofs.delete(challenge.token),
    });
    const read = acme.crypto.readCertificateInfo(certificate);
    assert.deepEqual(read.domains.altNames.sort(), [...names].sort());
    assert.equal(acme.crypto.splitPemChain(certificate).length, 2);
    return { key, certificate };
}

// A key of RSA, and one of P-256.
const first = await obtain(() => acme.crypto.createPrivateRsaKey());
const second = await obtain(() => acme.crypto.createPrivateEcdsaKey());
assert.notEqual(first.certificate, second.certificate);
await client.revokeCertificate(first.certificate, { reason: 4 });
await assert.rejects(client.revokeCertificate(first.certificate), /revoked/);

// Another key for the account, which is then let go of.
await client.updateAccountKey(await acme.crypto.createPrivateRsaKey());
const account = await client.updateAccount({ status: "deactivated" });
assert.equal(account.status, "deactivated");
host.close();
host.closeAllConnections();
