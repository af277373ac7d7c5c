use proptest::prelude::*;

use super::*;

const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/frame-v1.bin");

fn frame<P>(payload: P) -> Frame<'static, P> {
    Frame {
        codec: 3,
        fingerprint: 0x0123_4567_89ab_cdef,
        negative: true,
        life_ms: 300_000,
        load_ms: 42,
        ttl_ms: 240_000,
        tags: vec!["org:7", "vip"],
        key: "(org=7,id=3)",
        validator: None,
        compression: Compression::None,
        payload,
    }
}

fn payload(bytes: &[u8]) -> Payload {
    Payload::write(|out| {
        out.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap()
}

/// Puts the right checksum under changed bytes.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&body);
    body.extend_from_slice(&checksum.to_le_bytes());
    body
}

fn golden_with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut body = GOLDEN[..GOLDEN.len() - CHECKSUM].to_vec();
    body[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(body)
}

#[test]
fn version_1_is_written_as_it_always_was() {
    assert_eq!(frame(payload(b"value")).encode(None).unwrap(), GOLDEN);
}

#[test]
fn version_1_is_read_as_it_always_was() {
    assert!(Frame::parse(GOLDEN).unwrap() == frame(&b"value"[..]));
}

#[test]
fn every_cut_is_damage() {
    for end in 0..GOLDEN.len() {
        assert!(Frame::parse(&GOLDEN[..end]).is_err());
    }
    assert_eq!(Frame::parse(b""), Err(Damage::TooShort));
    assert_eq!(Frame::parse(&[GOLDEN, b"x"].concat()), Err(Damage::Checksum));
}

#[test]
fn every_flipped_bit_is_damage() {
    for bit in 0..GOLDEN.len() * 8 {
        let mut bytes = GOLDEN.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::parse(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn a_lie_under_a_right_checksum_is_damage() {
    assert_eq!(Frame::parse(&golden_with(0, b"GET")), Err(Damage::Magic));
    assert_eq!(Frame::parse(&golden_with(3, &[2])), Err(Damage::Version));
    assert_eq!(Frame::parse(&golden_with(4, &[0b1100])), Err(Damage::Flags), "a compression that there is not");
    assert_eq!(Frame::parse(&golden_with(4, &[0b10_0000])), Err(Damage::Flags));
    assert_eq!(Frame::parse(&golden_with(4, &[0b1_0000])), Err(Damage::Length), "a seal that is not there");
    assert_eq!(Frame::parse(&golden_with(4, &[0b10])), Err(Damage::Length), "a validator that is not there");
    assert_eq!(Frame::parse(&golden_with(6, &65_u16.to_le_bytes())), Err(Damage::Tags));
    assert_eq!(Frame::parse(&golden_with(6, &1_u16.to_le_bytes())), Err(Damage::Length));
    assert_eq!(Frame::parse(&golden_with(6, &3_u16.to_le_bytes())), Err(Damage::Length));
    assert_eq!(Frame::parse(&golden_with(40, &u32::MAX.to_le_bytes())), Err(Damage::Length));
    assert_eq!(Frame::parse(&golden_with(44, &u32::MAX.to_le_bytes())), Err(Damage::Length));
    assert_eq!(Frame::parse(&golden_with(HEADER + 5, &[0xFF])), Err(Damage::Utf8));
    assert_eq!(Frame::parse(&golden_with(HEADER + 5 + 12, &u32::MAX.to_le_bytes())), Err(Damage::Length));
}

#[test]
fn an_empty_frame_is_the_smallest_one() {
    let frame = Frame { tags: vec![], key: "", ..frame(payload(b"")) };
    let bytes = frame.encode(None).unwrap();
    assert_eq!(bytes.len(), HEADER + CHECKSUM);
    assert_eq!(Frame::parse(&bytes).unwrap().payload, b"");
}

#[test]
fn too_many_tags_are_refused_before_they_are_stored() {
    let full = Frame { tags: vec!["t"; MAX_TAGS], ..frame(payload(b"")) };
    assert_eq!(Frame::parse(&full.encode(None).unwrap()).unwrap().tags.len(), MAX_TAGS);
    let over = Frame { tags: vec!["t"; MAX_TAGS + 1], ..frame(payload(b"")) };
    assert_eq!(over.encode(None).unwrap_err().kind(), ErrorKind::Codec);
}

fn entry(key: &str, version: u32) -> EntryKey {
    let namespace = crate::key::Namespace::new("shop").unwrap();
    EntryKey::new(&crate::key::CacheName::new(&namespace, "user").unwrap(), version, key)
}

fn seal(byte: u8) -> Seal {
    Seal { key: [byte; 32].into(), accepted: Vec::new() }
}

fn sealed_frame() -> Vec<u8> {
    frame(payload(b"value")).encode(Some((&seal(7), &entry("7", 1)))).unwrap().to_vec()
}

#[test]
fn a_sealed_frame_is_read_and_written_as_it_always_was() {
    const SEALED_GOLDEN: &[u8] = include_bytes!("../../../tests/golden/frame-v1-sealed.bin");
    assert_eq!(sealed_frame(), SEALED_GOLDEN);
    assert!(Frame::parse(SEALED_GOLDEN).unwrap() == frame(&b"value"[..]), "also by who checks no seal");
}

#[test]
fn a_seal_is_of_one_key_for_one_entry() {
    let bytes = sealed_frame();
    assert!(is_sealed(&bytes, &seal(7), &entry("7", 1)));
    assert!(!is_sealed(&bytes, &seal(8), &entry("7", 1)), "another key of ours");
    assert!(!is_sealed(&bytes, &seal(7), &entry("8", 1)), "moved to another entry");
    assert!(!is_sealed(&bytes, &seal(7), &entry("7", 2)), "moved to another version");
    assert!(!is_sealed(GOLDEN, &seal(7), &entry("7", 1)), "not sealed");
    let rotated = Seal { key: [8; 32].into(), accepted: vec![[7; 32].into()] };
    assert!(is_sealed(&bytes, &rotated, &entry("7", 1)), "an earlier key");
}

#[test]
fn every_change_of_a_sealed_frame_breaks_its_seal() {
    let bytes = sealed_frame();
    let body = &bytes[..bytes.len() - CHECKSUM];
    for bit in 0..body.len() * 8 {
        let mut body = body.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        let forged = sealed(body);
        assert!(Frame::parse(&forged).is_err() || !is_sealed(&forged, &seal(7), &entry("7", 1)), "bit {bit}");
    }
    let mut stripped = body[..body.len() - SEAL].to_vec();
    stripped[4] &= !SEALED;
    let stripped = sealed(stripped);
    assert!(Frame::parse(&stripped).is_ok() && !is_sealed(&stripped, &seal(7), &entry("7", 1)));
}

/// Compressors may come to write other bytes, but must read these for ever.
#[test]
fn compressed_frames_are_read_as_they_always_were() {
    for (bytes, compression, is_built) in [
        (&include_bytes!("../../../tests/golden/frame-v1-lz4.bin")[..], Compression::Lz4, cfg!(feature = "lz4")),
        (&include_bytes!("../../../tests/golden/frame-v1-zstd.bin")[..], Compression::Zstd, cfg!(feature = "zstd")),
    ] {
        let read = Frame::parse(bytes).unwrap();
        assert_eq!(read.compression, compression);
        let raw = read.unpacked(1 << 10);
        match is_built {
            true => assert_eq!(raw.unwrap(), b"value ".repeat(100).as_slice()),
            false => assert_eq!(raw.unwrap_err(), Damage::Compression),
        }
    }
}

#[test]
fn a_codec_that_shortens_the_buffer_is_refused() {
    let outcome = Payload::write(|out| {
        out.clear();
        Ok(())
    });
    assert_eq!(outcome.err().unwrap().kind(), ErrorKind::Codec);
}

#[test]
fn debug_shows_neither_key_nor_tag_nor_value() {
    let shown = format!("{:?}", frame(&b"value"[..]));
    assert!(!shown.contains("org") && !shown.contains("vip") && !shown.contains("118"));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        codec: u8,
        numbers: [u64; 4],
        negative: bool,
        tags in prop::collection::vec(any::<String>(), 0..5),
        key: String,
        validator: Option<String>,
        value: Vec<u8>,
    ) {
        let [fingerprint, life_ms, load_ms, ttl_ms] = numbers;
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let written = Frame {
            codec, fingerprint, negative, life_ms, load_ms, ttl_ms,
            tags, key: &key, validator: validator.as_deref(), compression: Compression::None, payload: payload(&value),
        };
        let bytes = written.clone().encode(None).unwrap();
        let Frame { codec, fingerprint, negative, life_ms, load_ms, ttl_ms, tags, key, validator, compression, payload } =
            Frame::parse(&bytes).unwrap();
        prop_assert_eq!(payload, &value[..]);
        let read = Frame {
            codec, fingerprint, negative, life_ms, load_ms, ttl_ms,
            tags, key, validator, compression, payload: written.payload.clone(),
        };
        prop_assert!(read == written);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        prop_assert!(Frame::parse(&bytes).is_err());
    }

    #[test]
    fn an_arbitrary_body_under_a_right_checksum_never_panics(
        header in prop::array::uniform32(any::<u8>()),
        tail in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut body = MAGIC.to_vec();
        body.extend_from_slice(&[VERSION, 0, 1, header[0] % 4, 0]);
        body.extend_from_slice(&header);
        body.extend_from_slice(&u32::from(header[1] % 64).to_le_bytes());
        body.extend_from_slice(&u32::from(header[2] % 64).to_le_bytes());
        body.extend_from_slice(&tail);
        let bytes = sealed(body);
        if let Ok(frame) = Frame::parse(&bytes) {
            prop_assert!(frame.payload.len() + frame.key.len() <= tail.len());
        }
    }
}
