use super::*;

fn hex(text: &str) -> (Vec<Vec<u8>>, Option<InputError>) {
    let (frames, fault) = frames(text.as_bytes());
    (frames.into_iter().map(|frame| frame.data).collect(), fault)
}

#[test]
fn a_plain_line_is_a_frame() {
    let line = "00".repeat(28);
    assert_eq!(
        hex(&format!("{line}\n{line}\n")),
        (vec![vec![0; 28]; 2], None)
    );
}

#[test]
fn dumps_with_offsets_and_text_columns_are_read() {
    let tcpdump = "\t0x0000:  4500 0014 0000 0000 4032 0000 c000 0201  E.......@2......\n\t0x0010:  c000 0202\n";
    let xxd = "00000000: 4500 0014 0000 0000 4032 0000 c000 0201  E.......@2......\n00000010: c000 0202                                ....\n";
    let hexdump = "00000000  45 00 00 14 00 00 00 00  40 32 00 00 c0 00 02 01  |E.......@2......|\n00000010  c0 00 02 02  |....|\n";
    let wanted = hex("4500001400000000403200 00c0000201c0000202");
    for dump in [tcpdump, xxd, hexdump] {
        assert_eq!(hex(dump), wanted, "{dump}");
    }
}

#[test]
fn two_dumps_are_two_frames() {
    let dump = "0000  01 02 03\n0000  04 05\n\n06 07\n";
    assert_eq!(hex(dump).0, [vec![1, 2, 3], vec![4, 5], vec![6, 7]]);
}

#[test]
fn nonsense_is_named_by_its_line() {
    let (frames, fault) = hex("0102\n\nnot hex\n");
    assert_eq!(frames, [vec![1, 2]]);
    assert_eq!(
        fault,
        Some(InputError::Hex {
            line: 3,
            why: "\"not\" is not hex".into()
        })
    );
}

#[test]
fn a_cut_pcap_gives_its_frames_and_the_place_of_the_damage() {
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];
    file.extend([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 7, 8, 9]);
    let (whole, fault) = frames(&file);
    assert_eq!((whole.len(), fault), (1, None));
    assert_eq!(
        whole.first().map(|frame| (frame.number, frame.time)),
        Some((1, Duration::new(1, 2000)))
    );
    file.extend([1, 0, 0, 0, 2, 0, 0, 0, 200, 0, 0, 0, 200, 0, 0, 0, 7]);
    let (cut, fault) = frames(&file);
    assert_eq!(cut, whole);
    assert!(
        matches!(
            fault,
            Some(InputError::Damaged {
                format: "pcap",
                offset: 43,
                ..
            })
        ),
        "{fault:?}"
    );
}
