# What we write and read, against tshark.
our_pcap() { # our pcap and key files, opened by tshark
  pair a; settings "${@:2}"; PING=3
  topology direct; start b; start a; initiate a; both_up; ping_through a $PING; stop a
  local d=$DIR/gateway-a
  t() { WIRESHARK_CONFIG_DIR=$d/keys tshark -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE -r "$d/gateway.pcap" "$@" 2>>"$DIR/tshark.err"; }
  local ids quick echo
  ids=$(t -Y 'isakmp.exchangetype == 2 && isakmp.flag_e == 1 && isakmp.typepayload == 5 && isakmp.typepayload == 8' | wc -l)
  quick=$(t -Y 'isakmp.exchangetype == 32 && isakmp.typepayload == 8' | wc -l)
  echo=$(t -Y 'esp.icv_good == 1 && icmp' | wc -l)
  [ "$ids" = 2 ] || fail "tshark decrypts $ids main-mode messages with ID and HASH, 2 expected (5 and 6)"
  [ "$quick" = 3 ] || fail "tshark decrypts $quick quick-mode messages, 3 expected"
  [ "$echo" -ge $((2 * PING)) ] || fail "tshark sees $echo inner pings, $((2 * PING)) expected"
  "$INTEROP_DISSECT" --json --keys "$d/keys" "$d/gateway.pcap" >"$DIR/dissect.json" || fail "dissect cannot read our pcap"
  ! grep '"error"' "$DIR/dissect.json" || fail "dissect refuses a frame of our pcap"
  "$INTEROP_DISSECT" --ladder "$DIR/ladder.svg" --keys "$d/keys" "$d/gateway.pcap"
  note "tshark: main mode 5 and 6, quick mode, $echo inner pings"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario pcap-tshark-aes 60 'tshark opens our pcap with our key files: AES-128/SHA1' our_pcap aes
  scenario pcap-tshark-3des 60 'tshark opens our pcap with our key files: 3DES/SHA1' our_pcap 3des ENC=3des ESPENC=3des
  scenario pcap-tshark-sha256 60 'tshark opens our pcap with our key files: AES-256/SHA256, PFS' our_pcap sha256 ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256 PFS=14
fi

dissect_vs_tshark() { # every capture of a folder: same frames, same values, same decryption
  local root data; root=$(dirname "$(dirname "$HERE")"); data=${INTEROP_DATA:-$root/../shared/data}
  if [ ! -d "$data" ]; then
    # Loud, but the clone alone must pass.
    note "NOT RUN: no folder of captures at $data; only the vendored captures were compared (cargo test)"
    echo "dissect-vs-tshark: NOT RUN, no captures at $data" >&2
    return 0
  fi
  ( cd "$root" && INTEROP_DATA=$(readlink -f "$data") cargo test -q -p examples --test tshark -- --ignored --nocapture ) >"$DIR/compare.out" 2>&1 ||
    fail "$(grep -c ' frame [0-9]*: ' "$DIR/compare.out") differences, the first: $(grep -m1 ' frame [0-9]*: ' "$DIR/compare.out" || tail -1 "$DIR/compare.out")"
  note "$(grep 'captures compared' "$DIR/compare.out")"
}
scenario dissect-vs-tshark 1500 'dissect and tshark agree on every capture of a folder, decryption included' dissect_vs_tshark
