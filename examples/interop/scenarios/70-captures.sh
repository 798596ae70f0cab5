# What we write and read, against tshark.
our_pcap() { # MESSAGES-OF… K=V: our pcap and key files, opened by tshark
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
our_pcap_v2() { # the same of IKEv2: IKE_AUTH, CREATE_CHILD_SA and INFORMATIONAL decrypted
  pair a; settings "$@"; topology direct; start b; start a; initiate a; both_up; ping_through a 3; rekey a child; rekey a ike
  ping_through a 3; stop a
  local d=$DIR/gateway-a auth create inform echo
  t() { WIRESHARK_CONFIG_DIR=$d/keys tshark -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE -r "$d/gateway.pcap" "$@" 2>>"$DIR/tshark.err"; }
  auth=$(t -Y 'isakmp.exchangetype == 35 && isakmp.typepayload == 39 && isakmp.typepayload == 44' | wc -l)
  create=$(t -Y 'isakmp.exchangetype == 36 && isakmp.typepayload == 33 && isakmp.typepayload == 40' | wc -l)
  inform=$(t -Y 'isakmp.exchangetype == 37 && isakmp.typepayload == 42' | wc -l)
  echo=$(t -Y 'icmp.type == 8 || icmp.type == 0' | wc -l)
  [ "$auth" = 2 ] || fail "tshark decrypts $auth messages of IKE_AUTH with AUTH and TSi, 2 expected"
  [ "$create" = 4 ] || fail "tshark decrypts $create messages of CREATE_CHILD_SA with SA and nonce, 4 expected"
  [ "$inform" -ge 2 ] || fail "tshark decrypts $inform DELETEs, 2 at least expected"
  [ "$echo" -ge 12 ] || fail "tshark sees $echo inner pings, 12 expected"
  ! t -Y 'isakmp.ikev2.hdr.icv_bad || _ws.malformed' | sees . || fail "tshark calls something malformed"
  "$INTEROP_DISSECT" --json --keys "$d/keys" "$d/gateway.pcap" >"$DIR/dissect.json" || fail "dissect cannot read our pcap"
  ! grep '"error"' "$DIR/dissect.json" || fail "dissect refuses a frame of our pcap"
  note "tshark: IKE_AUTH $auth, CREATE_CHILD_SA $create, DELETE $inform, $echo inner pings"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario v2-pcap-tshark-aes 60 'IKEv2: tshark opens our pcap with our key files: AES-256/SHA256' our_pcap_v2 ENC=aes256 GROUP=14 ESPENC=aes256
  scenario v2-pcap-tshark-gcm 60 'IKEv2: tshark opens our pcap with our key files: AES-128-GCM' our_pcap_v2 ENC=aes128gcm16 ESPENC=aes128gcm16 ESPAUTH=none
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
