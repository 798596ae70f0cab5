# Every suite in both roles; and files through the tunnel.
tunnel() { # a|b (our side; a initiates) K=V…
  pair "$1"; settings "${@:2}"
  # shellcheck disable=SC2086 # words
  topology ${TUNNEL_TOPOLOGY:-direct}; capture b
  start b; start a
  initiate a; both_up
  ping_through a 3; ping_through b 3
}
tunnel_v6() { TUNNEL_TOPOLOGY='direct v6' tunnel "$@"; }
both init-outer-v6 60 'over IPv6, we initiate' tunnel_v6 a
both resp-outer-v6 60 'over IPv6, they initiate' tunnel_v6 b
suite() { # NAME 'ABOUT' K=V…
  scenario "v1-init-$1" 60 "$2, we initiate" tunnel a "${@:3}"
  scenario "v1-resp-$1" 60 "$2, they initiate" tunnel b "${@:3}"
}
suite des-md5-modp768 'DES/MD5/MODP768' ENC=des HASH=md5 GROUP=1 ESPENC=des ESPAUTH=md5
suite 3des-sha1-modp1024 '3DES/SHA1/MODP1024' ENC=3des HASH=sha1 GROUP=2 ESPENC=3des ESPAUTH=sha1
suite aes128-sha1-modp1024 'AES-128/SHA1/MODP1024' ENC=aes128 HASH=sha1 GROUP=2
suite aes128-sha1-modp2048 'AES-128/SHA1/MODP2048' ENC=aes128 HASH=sha1 GROUP=14
suite aes256-sha256-modp2048 'AES-256/SHA256/MODP2048' ENC=aes256 HASH=sha256 GROUP=14 ESPENC=aes256 ESPAUTH=sha256
suite esp-null 'ESP NULL with HMAC-SHA1' ESPENC=null ESPAUTH=sha1
suite esp-gcm 'ESP AES-128-GCM' ESPENC=aes128gcm16 ESPAUTH=none
suite esp-gcm256-pfs 'ESP AES-256-GCM with PFS (ECP256)' ENC=aes256 HASH=sha256 GROUP=19 ESPENC=aes256gcm16 ESPAUTH=none PFS=19
suite ecp256 'AES-128/SHA256/ECP256' HASH=sha256 GROUP=19
suite ecp384 'AES-256/SHA384/ECP384' ENC=aes256 HASH=sha384 GROUP=20 ESPENC=aes256 ESPAUTH=sha384
suite ecp521 'AES-256/SHA512/ECP521' ENC=aes256 HASH=sha512 GROUP=21 ESPENC=aes256 ESPAUTH=sha512
suite pfs 'quick mode with PFS (MODP1024)' PFS=2
suite pfs-modp2048 'quick mode with PFS (MODP2048)' GROUP=14 PFS=14

aggressive() { # a|b (our side), nat|direct
  pair "$1"; settings AGGRESSIVE=yes "${@:3}"
  if [ "$2" = nat ]; then topology nat ports=40000-40999; else topology direct; fi
  capture b; start b; start a
  initiate a; both_up
  ping_through a 3; ping_through b 3; capture_end b
  local main; main=$(tshark -r b.pcap -Y 'isakmp.exchangetype == 2' 2>/dev/null | wc -l)
  [ "$main" = 0 ] || fail "$main messages of main mode"
  [ "$(tshark -r b.pcap -Y 'isakmp.exchangetype == 4' 2>/dev/null | wc -l)" -ge 3 ] || fail "no aggressive mode seen"
}
scenario v1-aggressive-init 60 'aggressive mode, we initiate' aggressive a direct
scenario v1-aggressive-resp 60 'aggressive mode, they initiate' aggressive b direct
scenario v1-aggressive-nat-init 60 'aggressive mode from behind a NAT, we initiate' aggressive a nat
scenario v1-aggressive-nat-resp 60 'aggressive mode from behind a NAT, they initiate' aggressive b nat
scenario v1-aggressive-resp-modp2048 60 'aggressive mode with MODP2048 and SHA-256, they initiate' aggressive b direct ENC=aes256 HASH=sha256 GROUP=14

on_demand() { # the first packet brings the tunnel up and is held, not lost
  pair a; topology direct; capture b
  start b; start a
  ns a ping -n -q -c 5 -i 0.3 -W 2 -I "$(inner a)" "$(inner b)" >"$DIR/ping.out" || :
  both_up; sleep 0.3; capture_end b
  local sent; sent=$(tshark -r b.pcap -Y "esp && ip.src == $(outer a)" -T fields -e esp.sequence 2>/dev/null | tr '\n' ' ')
  [ "$sent" = "1 2 3 4 5 " ] || fail "ESP packets $sent left, 1 to 5 expected"
  grep -q ' 5 received' "$DIR/ping.out" || fail "$(grep received "$DIR/ping.out")"
  ping_through a 3
}
[ "${INTEROP_OURS:-gateway}" = strongswan ] || both on-demand 60 'interesting traffic brings the tunnel up, no ping lost' on_demand

bulk() { tunnel "$1"; file_through a 8; file_through b 8; tcp_through a 2; }
both init-tcp 90 'files with checksums and iperf3 through the tunnel, we initiate' bulk a
both resp-tcp 90 'files with checksums and iperf3 through the tunnel, they initiate' bulk b
