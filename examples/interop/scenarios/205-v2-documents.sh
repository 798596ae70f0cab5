# The case of the documents (I1 to I6): two subnets to one, AES-256-CBC, SHA-256, group 14, pre-shared key.
documents() { # WHO sits on b: both|a
  NET_a=192.168.100.0/24; INNER_a=192.168.100.10; NET2_a=192.168.200.0/24; INNER2_a=192.168.200.20
  NET_b=172.16.10.0/24; INNER_b=172.16.10.11
  pair "$1"; settings KIDS=two ENC=aes256 GROUP=14 ESPENC=aes256 ESPAUTH=sha1
  topology direct; capture b
  start b; start a
  # I1, I4: four messages bring the first child up; the first ping waits, five are answered.
  ns a ping -n -q -c 5 -s 100 -i 0.2 -W 2 -I "$INNER_a" "$INNER_b" | sees ' 5 received' || fail "five pings, fewer answers"
  gw_ask a 'len(s["ike"]) == 1 and len(s["children"]) == 1' || fail "one IKE SA with one child expected"
  gw a status >"$DIR/first.txt"
  # I2: one pair more brings the second.
  ns a ping -n -q -c 5 -s 200 -i 0.2 -W 2 -I "$INNER2_a" "$INNER_b" | sees ' 5 received' || fail "five pings from the second network, fewer answers"
  gw a status >"$DIR/second.txt"; capture_end b
  [ "$(isakmp_count 'isakmp.exchangetype == 34')" = 2 ] && [ "$(isakmp_count 'isakmp.exchangetype == 35')" = 2 ] || fail "four messages for the first child expected"
  [ "$(isakmp_count 'isakmp.exchangetype == 36')" = 2 ] || fail "one CREATE_CHILD_SA pair for the second child expected"
  local line spi
  spi=$(gw_status a | python3 -c 'import json, sys; c = json.load(sys.stdin)["children"][0]; print("0x%08x/0x%08x" % (c["inbound"]["spi"], c["outbound"]["spi"]))')
  for line in 'There are no IKEv1 SAs' 'Status:UP-ACTIVE, IKE count:1, CHILD count:2' 'READY +INITIATOR' \
    'Encr: AES-CBC, keysize: 256, Hash: SHA256, DH Grp:14, Auth sign: PSK, Auth verify: PSK' 'Life/Active Time: 86400/[0-9]+ sec' \
    'Child sa: local selector  192.168.200.0/0 - 192.168.200.255/65535' 'Child sa: local selector  192.168.100.0/0 - 192.168.100.255/65535' \
    '          remote selector 172.16.10.0/0 - 172.16.10.255/65535' "          ESP spi in/out: $spi" \
    '#pkts encaps: 5, #pkts encrypt: 5' 'transform: esp-aes-256 esp-sha-hmac'; do
    grep -qE -- "$line" "$DIR/second.txt" || fail "the tables lack: $line"
  done
  grep -q 'IKE count:1, CHILD count:1' "$DIR/first.txt" || fail "the first table lacks its session"
  # The SPIs of the tables are those on the wire.
  tshark -r b.pcap -Y esp -T fields -e esp.spi 2>/dev/null | sees -i "${spi#*/}" || fail "no packet on the wire with outbound SPI ${spi#*/}"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario v2-documents-strongswan 60 'the case of the documents against strongSwan: two children, the tables' documents a
  scenario v2-documents-ours 60 'the case of the documents between two gateways: two children, the tables' documents both
fi
