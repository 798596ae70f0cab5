# ESP that strongSwan's userland cannot do here (raw, transport mode, ESN), against scapy.
dissect_scapy() { # our codec and ciphers open what scapy seals
  local counts; counts=$(/usr/bin/python3 "$HERE/peers/scapy_make.py" "$DIR") || fail "scapy could not make the packets"
  # shellcheck disable=SC2086 # two numbers
  "$INTEROP_DISSECT" --json --keys "$DIR/keys" "$DIR/cap.pcap" | python3 "$HERE/peers/opened.py" $counts >"$DIR/note" || fail "$(tail -1 "$DIR/output")"
}
scenario esp-scapy-opened 60 'we open scapy'"'"'s ESP: tunnel, transport, UDP, ESN, every suite; spoilt ICVs refused' dissect_scapy

live_scapy() { # MODE ESN: two gateways; then scapy takes the place of one of them
  pair both; settings MODE="$1" ESN="$2"
  topology direct; capture b
  start b; start a
  initiate a; both_up
  local from to; if [ "$1" = transport ]; then from=$(outer b); to=$(outer a); else from=$(inner b); to=$(inner a); fi
  ns b ping -n -q -c 3 -i 0.2 -W 2 -I "$from" "$to" | grep -q ' 3 received' || fail "no ping through $1 mode"
  sleep 0.3; capture_end b
  # The tunnel's far side falls silent and scapy goes on with its keys.
  kill -STOP "$(pid_of gateway-b)"
  ns b /usr/bin/python3 "$HERE/peers/scapy_live.py" "$DIR/gateway-a/keys/esp_sa" "$DIR/b.pcap" "$(outer b)" "$(outer a)" "$from" "$to" "$1" "$2" >"$DIR/scapy.out" 2>&1 || fail "scapy: $(tail -1 "$DIR/scapy.out")"
  kill -CONT "$(pid_of gateway-b)"
  note "$(tail -1 "$DIR/scapy.out")"
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  scenario esp-scapy-raw 60 'raw ESP, tunnel mode: scapy opens ours, we open scapy'"'"'s, replays and spoilt packets are refused' live_scapy tunnel no
  scenario esp-scapy-esn 60 'raw ESP with extended sequence numbers, against scapy' live_scapy tunnel yes
fi
