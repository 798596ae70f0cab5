# Transport mode between two gateways of ours (strongSwan's userland ESP has none): the hosts themselves talk, and
# everything between them crosses ESP.
transported() { # TOPOLOGY K=V…
  pair both; settings MODE=transport "${@:2}"
  # shellcheck disable=SC2086 # words
  topology $1; capture b
  INNER_a=$(outer a); INNER_b=$(outer b)
  start b; start a
  initiate a; both_up
  ping_through a 3; ping_through b 3
  file_through a 2; file_through b 2
  ping_begin a 3; sleep 1; rekey a child; sleep 0.5; rekey b child; ping_end
  only_esp "$(outer a)" "$(outer b)"
  stop a
  no_trace a
}
# Nothing but IKE and ESP on the wire, and what ESP carries is no IP packet.
only_esp() { # A B
  sleep 0.3; capture_end b
  local clear inner
  clear=$(tshark -r b.pcap -Y '!(esp || isakmp || arp || icmpv6.type >= 133 || udpencap)' 2>/dev/null | wc -l)
  [ "$clear" = 0 ] || fail "$clear packets on the wire are neither IKE nor ESP: $(tshark -r b.pcap -Y '!(esp || isakmp || arp || icmpv6.type >= 133 || udpencap)' 2>/dev/null | head -1)"
  inner=$(WIRESHARK_CONFIG_DIR=$DIR/gateway-b/keys tshark -o esp.enable_encryption_decode:TRUE -r b.pcap -Y esp -T fields -E occurrence=f -e esp.protocol 2>/dev/null | sort | uniq -c | tr -s ' \n' ' ')
  # The first next header only: an ICMP error that crosses ESP quotes an ESP packet, which tshark opens up as well.
  # ICMP(v6) and TCP directly behind ESP: transport mode. 4 or 41 would be tunnel mode.
  [[ $inner == *"0x06"* && ( $inner == *"0x01"* || $inner == *"0x3a"* ) && $inner != *"0x04"* && $inner != *"0x29"* ]] ||
    fail "next headers inside ESP: $inner"
  note "next headers inside ESP:$inner"
}
# Routes, their table and its rule go with the gateway.
no_trace() { # SIDE
  local f; for f in -4 -6; do
    ! ip $f -n "$(nsname "$1")" rule | sees 4500 || fail "a rule stayed behind: $(ip $f -n "$(nsname "$1")" rule | grep 4500)"
    [ -z "$(ip $f -n "$(nsname "$1")" route show table 4500 2>/dev/null)" ] || fail "a route stayed behind in table 4500"
  done
}
transport_nat() { # The side behind the NAT is known by another address on each side: checksums are mended (NAT-OA).
  pair both; settings MODE=transport
  topology nat; capture b
  INNER_a=$(outer a); INNER_b=$(outer b)
  start b REMOTE=0.0.0.0/0 EXTRA='selectors = "within"'; start a
  initiate a; both_up
  ping_through a 3
  INNER_a=192.0.2.254 ping_from b 3 "$(outer b)" 192.0.2.254
  file_through a 2
  only_esp a b
  stop a; stop b; no_trace a; no_trace b
}
ping_from() { # SIDE COUNT FROM TO
  local out; out=$(ns "$1" ping -n -q -c "$2" -i 0.2 -W 2 -I "$3" "$4" 2>&1) || :
  [[ $out == *" $2 received"* ]] || fail "ping from $3 to $4: $(grep -oE '[0-9]+ packets transmitted.*' <<<"$out")"
}
transport_on_demand() { # the first packet to the peer brings the SA up and is held
  pair both; settings MODE=transport; topology direct; capture b
  INNER_a=$(outer a); INNER_b=$(outer b)
  start b; start a
  ping_through a 3; both_up
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  both transport-ours-ours 60 'transport mode, raw ESP: ping, files, rekeys; only ESP on the wire, no route left behind' transported direct
  both transport-ours-ours-v6 60 'transport mode over IPv6' transported 'direct v6'
  both transport-ours-ours-nat 60 'transport mode behind a NAT: checksums mended with NAT-OA' transport_nat
  both transport-ours-ours-demand 60 'transport mode on demand: the first packet is held, not lost' transport_on_demand
fi
