# IKEv2 alone: suites, INVALID_KE_PAYLOAD, COOKIE, several children, narrowing, and what the documents show.
suite2() { # NAME 'ABOUT' K=V…
  scenario "v2-init-$1" 60 "$2, we initiate" tunnel a "${@:3}"
  scenario "v2-resp-$1" 60 "$2, they initiate" tunnel b "${@:3}"
}
suite2 aes256-sha256-modp2048 'AES-256/SHA256/MODP2048' ENC=aes256 GROUP=14 ESPENC=aes256
suite2 aes128gcm-x25519 'AES-128-GCM/X25519, ESP too' ENC=aes128gcm16 ESPENC=aes128gcm16 ESPAUTH=none
suite2 chacha20-ecp384 'ChaCha20-Poly1305/P-384, ESP too' ENC=chacha20poly1305 HASH=sha384 GROUP=20 ESPENC=chacha20poly1305 ESPAUTH=none
suite2 aes256-sha512-ecp521 'AES-256/SHA512/P-521' ENC=aes256 HASH=sha512 GROUP=21 ESPENC=aes256 ESPAUTH=sha512
suite2 modp1024 '3DES/SHA1/MODP1024, for old devices' ENC=3des HASH=sha1 GROUP=2 ESPENC=3des ESPAUTH=sha1

# Messages on the wire that match; one that was sent again counts once.
isakmp_count() { tshark -r "$DIR/b.pcap" -Y "($1) && !icmp && !icmpv6" -T fields -e ip.src -e ipv6.src -e udp.payload 2>/dev/null | sort -u | wc -l; }

invalid_ke() { # The first group tried is not the responder's: one round more, then up.
  pair "$1"; topology direct; capture b
  start b GROUP=14; start a GROUP='31 14'
  initiate a; both_up; ping_through a 3; capture_end b
  [ "$(isakmp_count 'isakmp.notify.msgtype == 17')" = 1 ] || fail "no INVALID_KE_PAYLOAD on the wire"
  [ "$(isakmp_count 'isakmp.exchangetype == 34')" = 4 ] || fail "four messages of IKE_SA_INIT expected"
}
scenario v2-init-invalid-ke 60 'INVALID_KE_PAYLOAD: we try X25519, they want MODP2048' invalid_ke a
scenario v2-resp-invalid-ke 60 'INVALID_KE_PAYLOAD: they try X25519, we want MODP2048' invalid_ke b

cookie() { # OUR-SIDE HALF-OPEN-SAS: the responder has too many half-open SAs: the initiator brings a cookie back.
  pair "$1"; topology direct; capture b
  start b SWAN=$'cookie_threshold = 1\n  cookie_threshold_ip = 1'; start a
  # Others that begin and never go on.
  ns a /usr/bin/python3 "$HERE/peers/half_open.py" "$(outer a)" "$(outer b)" "$2" >"$DIR/half_open.out" 2>&1 || fail "half_open.py: $(tail -1 "$DIR/half_open.out")"
  initiate a; both_up; ping_through a 3; capture_end b
  [ "$(isakmp_count "isakmp.notify.msgtype == 16390 && ip.src == $(outer b)")" -ge 1 ] || fail "no COOKIE asked for"
  [ "$(isakmp_count "isakmp.notify.msgtype == 16390 && ip.src == $(outer a)")" -ge 1 ] || fail "no COOKIE brought back"
}
scenario v2-init-cookie 60 'COOKIE: they ask for it, we bring it back' cookie a 6
scenario v2-resp-cookie 60 'COOKIE: we ask for it, they bring it back' cookie b 400

second_child() { # I2: one CREATE_CHILD_SA pair brings the second child
  pair "$1"; settings KIDS=two "${@:2}"; topology direct; capture b
  start b; start a
  initiate a; both_up; ping_through a 3
  initiate a net2; ping_second a 3; ping_second b 3; ping_through b 3
  capture_end b
  [ "$(isakmp_count 'isakmp.exchangetype == 36')" = 2 ] || fail "two messages of CREATE_CHILD_SA expected"
  [ "$(isakmp_count 'isakmp.exchangetype == 35')" = 2 ] || fail "one IKE SA expected"
}
scenario v2-init-second-child 60 'a second child by one CREATE_CHILD_SA pair, we initiate' second_child a
scenario v2-resp-second-child 60 'a second child by one CREATE_CHILD_SA pair, they initiate' second_child b
scenario v2-init-second-child-pfs 60 'a second child with PFS, we initiate' second_child a PFS=19
scenario v2-resp-second-child-pfs 60 'a second child with PFS, they initiate' second_child b PFS=19

two_networks() { # two networks on one side, one child
  pair "$1"; settings KIDS=wide; topology direct; capture b
  start b; start a
  initiate a; both_up; ping_through a 3; ping_second a 3; ping_second b 3
}
scenario v2-init-selectors 60 'one child for two networks, we initiate' two_networks a
scenario v2-resp-selectors 60 'one child for two networks, they initiate' two_networks b

narrowed() { # the initiator wants two networks, the responder grants one
  pair "$1"; topology direct; capture b
  start b KIDS=one EXTRA='selectors = "within"'; start a KIDS=wide EXTRA='selectors = "within"'
  initiate a; both_up; ping_through a 3
}
scenario v2-init-narrowed 60 'they grant one of our two networks' narrowed a
scenario v2-resp-narrowed 60 'we grant one of their two networks' narrowed b

ts_mismatch() { # nothing in common: refused and explained, the IKE SA may stay
  pair "$1"; topology direct; capture b
  start b; start a REMOTE=10.10.9.0/24
  ! try_initiate a || fail "a tunnel came up with no traffic in common"
  ! has_child a || fail "side a has a child"
  expect 5 "our log does not explain the refusal" log_has "$OURS" 'TS_UNACCEPTABLE|traffic selectors not acceptable'
}
has_child() { case ${KIND[$1]} in gateway) gw_ask "$1" 's["children"]';; strongswan) swan_sas "$1" | sees INSTALLED;; esac; }
scenario v2-init-ts-mismatch 60 'no traffic selector in common, we initiate: explained' ts_mismatch a
scenario v2-resp-ts-mismatch 60 'no traffic selector in common, they initiate: explained' ts_mismatch b
