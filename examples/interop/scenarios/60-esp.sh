# ESP that strongSwan's userland cannot do here (raw, transport mode, ESN), against scapy, both directions.
esp_scapy() { # MODE FAMILY UDP ESN: every suite, what one seals the other opens
  /usr/bin/python3 "$HERE/peers/esp_scapy.py" "$INTEROP_ESP_ORACLE" "$@" >"$DIR/scapy.out" 2>&1 || fail "scapy and we differ: $(tail -1 "$DIR/scapy.out")"
  note "$(tail -1 "$DIR/scapy.out")"
}
scenario esp-tunnel-v4 300 'ESP tunnel mode, IPv4, raw: scapy opens ours, we open its' esp_scapy tunnel 4 0 0
scenario esp-tunnel-v6 300 'ESP tunnel mode, IPv6, raw' esp_scapy tunnel 6 0 0
scenario esp-tunnel-udp 300 'ESP tunnel mode in UDP' esp_scapy tunnel 4 1 0
scenario esp-transport-v4 300 'ESP transport mode, IPv4, raw' esp_scapy transport 4 0 0
scenario esp-transport-v6 300 'ESP transport mode, IPv6, raw' esp_scapy transport 6 0 0
scenario esp-transport-udp 300 'ESP transport mode in UDP' esp_scapy transport 4 1 0
scenario esp-tunnel-esn 300 'ESP tunnel mode with extended sequence numbers' esp_scapy tunnel 4 0 1
scenario esp-transport-esn 300 'ESP transport mode with extended sequence numbers' esp_scapy transport 4 0 1

live_scapy() { # MODE ESN: two gateways; then scapy takes the place of one of them
  pair both; settings MODE="$1" ESN="$2"
  topology direct; capture b
  start b; start a
  initiate a; both_up
  local from to; if [ "$1" = transport ]; then from=$(outer b); to=$(outer a); else from=$(inner b); to=$(inner a); fi
  ns b ping -n -q -c 3 -i 0.2 -W 2 -I "$from" "$to" | sees ' 3 received' || fail "no ping through $1 mode"
  sleep 0.3; capture_end b
  # The tunnel's far side falls silent and scapy goes on with its keys.
  kill -STOP "$(pid_of gateway-b)"
  ns b /usr/bin/python3 "$HERE/peers/scapy_live.py" "$DIR/gateway-a/keys/esp_sa" "$DIR/b.pcap" "$(outer b)" "$(outer a)" "$from" "$to" "$1" "$2" >"$DIR/scapy.out" 2>&1 || fail "scapy: $(tail -1 "$DIR/scapy.out")"
  kill -CONT "$(pid_of gateway-b)"
  note "$(tail -1 "$DIR/scapy.out")"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario esp-scapy-raw 60 'raw ESP, tunnel mode: scapy opens ours, we open scapy'"'"'s, replays and spoilt packets are refused' live_scapy tunnel no
  scenario esp-scapy-transport 60 'raw ESP in transport mode, against scapy' live_scapy transport no
  scenario esp-scapy-esn 60 'raw ESP with extended sequence numbers, against scapy' live_scapy tunnel yes
fi
