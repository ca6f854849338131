//! Vectors of the W3C: Web Authentication level 3, "Test Vectors" (https://www.w3.org/TR/webauthn-3/,
//! sections 16.2 to 16.4; W3C Document License). They are for `example.org`.

use super::*;

/// One credential: how it was registered, and what it signed later.
struct Vector {
    client_data: &'static str,
    attestation: &'static str,
    signed: Option<[&'static str; 3]>,
}

/// `none.ES256`: somebody is there who is not verified, with a passkey that may be synchronized and is.
const NONE: Vector = Vector {
    client_data: "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d",
    attestation: "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220",
    signed: Some([
        "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a5558543049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d",
        "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87",
    ]),
};

/// `packed-self.ES256`: it says who made it, which nobody asked; its user was verified as it was made.
const SELF: Vector = Vector {
    client_data: "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a2265476e4374334c55745936366b336a506a796e6962506b31716e666644616966715a774c33417032392d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a205539685458764b453255526b4d6e625f307859485667227d",
    attestation: "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2",
    signed: Some([
        "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000",
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a225248696843784e534e493352594d45314f7731476d3132786e726b634a5f6666707637546e2d4a71386773222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a206754623533727a36456853576f6d58477a696d433151227d",
        "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3b99772b7efd95994a83ef584b3b6b825ea3550251b66",
    ]),
};

/// The client data of `none.ES256.crossOrigin`: a page of ours within somebody else's.
const CROSS: &str = "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a224f2d57717a514e5463554a484930437257576e7951504859647862694332674872434d475666704c4f306b222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a747275652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a207a5a7175457444523944577170573574425754467567227d";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn origins() -> Vec<String> {
    vec!["https://example.org".to_owned()]
}

fn credential_json(id: &[u8], response: &Json) -> String {
    let id = URL_SAFE_NO_PAD.encode(id);
    serde_json::json!({
        "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
        "response": response,
    })
    .to_string()
}

fn registration_json(id: &[u8], client_data: &[u8], attestation: &[u8]) -> String {
    let response = serde_json::json!({
        "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
        "attestationObject": URL_SAFE_NO_PAD.encode(attestation),
    });
    credential_json(id, &response)
}

fn assertion_json(id: &[u8], [data, client_data, signature]: &[Vec<u8>; 3]) -> String {
    let response = serde_json::json!({
        "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
        "authenticatorData": URL_SAFE_NO_PAD.encode(data),
        "signature": URL_SAFE_NO_PAD.encode(signature),
    });
    credential_json(id, &response)
}

/// The identifier of a vector's credential: it stands in its attestation.
fn id_of(vector: &Vector) -> Vec<u8> {
    let attestation = bytes(vector.attestation);
    let start = attestation.windows(2).rposition(|two| two == [0, 32]).unwrap() + 2;
    attestation[start..start + 32].to_vec()
}

fn registered(vector: &Vector, rp_id: &str, origins: &[String]) -> Result<Registration, Refused> {
    let (client_data, attestation) = (bytes(vector.client_data), bytes(vector.attestation));
    let json = registration_json(&id_of(vector), &client_data, &attestation);
    register(&json, &Site { rp_id, origins })
}

fn verified(key: &[u8], parts: &[Vec<u8>; 3], rp_id: &str) -> Result<Proved, Refused> {
    let assertion = Assertion::read(&assertion_json(b"id", parts))?;
    assertion.verify(key, &Site { rp_id, origins: &origins() })
}

#[test]
fn what_the_w3c_registered_and_signed_is_accepted() {
    for (vector, verified_then) in [(NONE, false), (SELF, true)] {
        let made = registered(&vector, "example.org", &origins()).unwrap();
        assert_eq!(made.state.verified, verified_then);
        assert!(made.state.eligible && made.challenge.len() == 32);
        let parts = vector.signed.unwrap().map(bytes);
        let proved = verified(&made.public_key, &parts, "example.org").unwrap();
        assert!(!proved.state.verified && proved.state.eligible);
        assert_eq!(proved.state.sign_count, 0);
    }
}

#[test]
fn what_is_for_another_site_is_refused() {
    let here = origins();
    assert_eq!(registered(&NONE, "example.com", &here), Err("relying party"));
    for elsewhere in ["https://example.org:8443", "http://example.org", "https://evil.example.org"]
    {
        let refused = registered(&NONE, "example.org", &[elsewhere.to_owned()]);
        assert_eq!(refused, Err("origin"), "{elsewhere}");
    }
    let made = registered(&NONE, "example.org", &here).unwrap();
    let parts = NONE.signed.unwrap().map(bytes);
    assert_eq!(verified(&made.public_key, &parts, "example.com"), Err("relying party"));
    let other = registered(&SELF, "example.org", &here).unwrap();
    assert_eq!(verified(&other.public_key, &parts, "example.org"), Err("signature"));
    assert_eq!(verified(&[], &parts, "example.org"), Err("signature"), "nobody's key");
}

#[test]
fn a_page_within_another_one_is_refused() {
    let json = registration_json(&id_of(&NONE), &bytes(CROSS), &bytes(NONE.attestation));
    let refused = register(&json, &Site { rp_id: "example.org", origins: &origins() });
    assert_eq!(refused, Err("cross-origin"));
}

#[test]
fn what_was_made_is_not_taken_for_what_was_proved() {
    let made = registered(&NONE, "example.org", &origins()).unwrap();
    let [data, _, signature] = NONE.signed.unwrap().map(bytes);
    let parts = [data, bytes(NONE.client_data), signature];
    assert_eq!(verified(&made.public_key, &parts, "example.org"), Err("ceremony"));
}

#[test]
fn no_changed_bit_is_overlooked() {
    // A thousand and more: each bit of what is signed and of the signature, one at a time.
    let mut tried = 0;
    for vector in [NONE, SELF] {
        let made = registered(&vector, "example.org", &origins()).unwrap();
        let parts = vector.signed.unwrap().map(bytes);
        for part in 0..3 {
            for bit in 0..parts[part].len() * 8 {
                let mut changed = parts.clone();
                changed[part][bit / 8] ^= 1 << (bit % 8);
                assert!(
                    verified(&made.public_key, &changed, "example.org").is_err(),
                    "{part} {bit}"
                );
                tried += 1;
            }
            for length in 0..parts[part].len() {
                let mut cut = parts.clone();
                cut[part].truncate(length);
                assert!(
                    verified(&made.public_key, &cut, "example.org").is_err(),
                    "{part} {length}"
                );
            }
        }
    }
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn what_is_no_registration_is_refused_and_never_a_fault() {
    let (client_data, attestation) = (bytes(NONE.client_data), bytes(NONE.attestation));
    let here = origins();
    let site = Site { rp_id: "example.org", origins: &here };
    for length in 0..attestation.len() {
        let json = registration_json(&id_of(&NONE), &client_data, &attestation[..length]);
        assert!(register(&json, &site).is_err(), "{length}");
    }
    let json = registration_json(b"another", &client_data, &attestation);
    assert_eq!(register(&json, &site), Err("another identifier"));
    let longer = [attestation.as_slice(), &[0]].concat();
    let json = registration_json(&id_of(&NONE), &client_data, &longer);
    assert_eq!(register(&json, &site), Err("identifier"));
    for json in ["", "{}", "[]", "{\"type\":\"public-key\",\"id\":\"*\",\"rawId\":\"*\"}"] {
        assert!(register(json, &site).is_err() && Assertion::read(json).is_err(), "{json}");
    }
}

#[test]
fn a_device_that_contradicts_itself_is_refused() {
    let made = registered(&NONE, "example.org", &origins()).unwrap();
    let flags = |flags: u8| {
        let mut parts = NONE.signed.unwrap().map(bytes);
        parts[0][32] = flags;
        verified(&made.public_key, &parts, "example.org")
    };
    assert_eq!(flags(BACKED_UP | PRESENT), Err("backed up, and not eligible for it"));
    assert_eq!(flags(VERIFIED), Err("nobody there"));
    assert_eq!(flags(PRESENT | EXTENDED), Err("extensions"));
    assert_eq!(flags(PRESENT | ATTESTED), Err("attested data"));
    assert_eq!(flags(PRESENT), Err("signature"));
}

#[test]
fn keys_of_other_algorithms_are_none() {
    let made = registered(&NONE, "example.org", &origins()).unwrap();
    assert!(is_key(&made.public_key));
    // The algorithm stands behind the label 3.
    let place = made.public_key.windows(2).position(|two| two == [3, 0x26]).unwrap() + 1;
    for algorithm in [0x00, 0x01, 0x25, 0x27] {
        let mut other = made.public_key.clone();
        other[place] = algorithm;
        assert!(!is_key(&other), "{algorithm:x}");
    }
    let long = [made.public_key.as_slice(), &[0]].concat();
    assert!(!is_key(&long) && !is_key(&[]) && !is_key(&[0xa0]));
}
