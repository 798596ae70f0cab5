use crypto_suite::DEFAULT;
use hex_literal::hex;

use super::*;

/// RFC 2759 §9.2.
fn example() -> (Algorithms, Challenges, Secret) {
    let algorithms = Algorithms::of(&DEFAULT).unwrap();
    let challenges = Challenges {
        server: hex!("5b5d7c7d7b3f2f3e3c2c602132262628"),
        client: hex!("21402324255e262a28295f2b3a337c7e"),
        name: "User".into(),
    };
    let hash = algorithms.password_hash("clientPass");
    (algorithms, challenges, hash)
}

#[test]
fn rfc2759_s9_2_hash_example() {
    let (algorithms, challenges, hash) = example();
    assert_eq!(hash.expose(), hex!("44ebba8d5312b8d611474411f56989ae"));
    assert_eq!(
        algorithms.challenge_hash(&challenges),
        hex!("d02e4386bce91226")
    );
    let response = algorithms.nt_response(&hash, &challenges);
    assert_eq!(
        response,
        hex!("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df")
    );
    assert_eq!(
        &algorithms.authenticator_response(&hash, &response, &challenges),
        b"S=407A5589115FD0D6209F510FE9C04566932CDA56"
    );
}

#[test]
fn rfc2759_s4_the_domain_does_not_count() {
    let (algorithms, mut challenges, hash) = example();
    let response = algorithms.nt_response(&hash, &challenges);
    challenges.name = "BIGCO\\User".into();
    assert_eq!(algorithms.nt_response(&hash, &challenges), response);
}

#[test]
fn rfc3079_s3_5_3_send_key_of_the_server() {
    let (algorithms, challenges, hash) = example();
    let response = algorithms.nt_response(&hash, &challenges);
    let msk = algorithms.msk(&hash, &response);
    // SendStartKey128 is what the server sends with: the second half.
    assert_eq!(
        msk.expose()[16..32],
        hex!("8b7cdc149b993a1ba118cb153f56dccb")
    );
    assert_eq!(msk.expose()[32..], [0; 32]);
}

#[test]
fn c6_packets_of_wrong_sizes_are_refused() {
    let challenges = example().1;
    let written = write::response(7, &challenges, &[9; 24]);
    let parsed = Packet::Response {
        id: 7,
        client: challenges.client,
        response: [9; 24],
        name: "User".into(),
    };
    assert_eq!(Packet::parse(&written), Ok(parsed));
    for length in 0..written.len() {
        assert_eq!(Packet::parse(&written[..length]), Err(EapError::Malformed));
    }
    for (place, value) in [(3, 0), (4, 48), (4, 50), (0, 5), (54, 0)] {
        let mut wrong = written.clone();
        wrong[place] = value;
        assert_eq!(Packet::parse(&wrong), Err(EapError::Malformed), "{place}");
    }
    assert_eq!(failure_error(b"E=648 R=0 C=00 V=3 M=x"), 648);
    assert_eq!(failure_error(b"\xff"), 0);
}
